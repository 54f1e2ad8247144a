"""What the watcher takes: from receipt to alert, and a burst of ten thousand events. See ``make bench-watch``."""

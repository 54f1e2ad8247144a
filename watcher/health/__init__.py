"""Watching the watcher: heartbeat, canary, dead man's switch, metrics, and what `safetynet status` says of them."""

"""Change events in, incidents and alerts out."""

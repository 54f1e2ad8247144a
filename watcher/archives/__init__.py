"""Change events of the past, in files: folders, S3, the event history, Athena."""

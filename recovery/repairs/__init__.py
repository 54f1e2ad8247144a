"""Bad writes: what differs between a table and a backup, and putting just that back, in a way that can be undone."""

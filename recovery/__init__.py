"""Backups, their catalog, recovery, staging and schedules: everything that touches tables and the vault."""

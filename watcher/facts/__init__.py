"""What is known around a change: backups, intents, what happened before, and what AWS tells afterwards."""

"""From a recovery point to a table: plans, engines, runs."""

"""The index of a rule set: which rules match an event, told by looking values up (docs/decisions/0007-rule-index.md)."""

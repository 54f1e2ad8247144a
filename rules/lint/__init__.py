"""Lint of rule files: what loads, but cannot do what it says, or would do more than it should."""

"""The ``safetynet`` command: parses, builds the objects, renders, maps errors to exit codes."""

"""What a recovery costs: CPU, wall time and memory, beside other tools."""

"""What a backup costs: CPU, wall time and memory, beside other tools."""

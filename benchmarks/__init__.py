"""Measurements beside peers, in one run, printed as ratios."""

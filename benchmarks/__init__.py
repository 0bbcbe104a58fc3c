"""Reproducible measurements: each against a baseline in the same run, quoted as a ratio."""

"""Locks as they are predicted, against locks as they were measured and as they are."""

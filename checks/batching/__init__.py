"""Data changes that are declared as batched: what is sent instead, and why some cannot be."""

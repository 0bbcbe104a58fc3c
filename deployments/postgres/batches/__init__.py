"""Data changes in batches: small transactions in the order of a key, each with its watermark."""

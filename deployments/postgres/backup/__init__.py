"""Backups of a target: made in one snapshot, packed, described by a manifest, read, restored and compared."""

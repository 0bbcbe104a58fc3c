"""Reading the schema of a target: fixed catalogue queries, one record per object."""

from deployments.postgres.snapshots.reading import read_snapshot
from deployments.postgres.snapshots.scope import OWN

__all__ = ["OWN", "read_snapshot"]

"""Running statements that refuse a transaction: intent, act, what the catalogue shows after, done."""

from deployments.postgres.alone.running import run_alone

__all__ = ["run_alone"]

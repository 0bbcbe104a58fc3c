"""What a statement locks and how much work it does meanwhile, on this schema, on this version of the server."""

from __future__ import annotations

from checks.locks.effects import effects_of
from checks.locks.values import Effects, Lock, Mode, Work

__all__ = ["Effects", "Lock", "Mode", "Work", "effects_of"]

"""Statements outside a transaction: what each is to leave behind, and what follows from what a server shows of it."""

from __future__ import annotations

from checks.outside.aims import (
    Aim,
    Built,
    Configured,
    Detached,
    Gone,
    IndexBuilt,
    Moved,
    Rebuilt,
    Repeated,
    Scope,
    Thing,
    Untold,
    aim_of,
    needs_no_lock_timeout,
)
from checks.outside.index_definition import IndexDefinition, definition_in, differences
from checks.outside.verdicts import Found, Next, Past, Remains, Verdict, shortcoming, verdict

__all__ = [
    "Aim",
    "Built",
    "Configured",
    "Detached",
    "Found",
    "Gone",
    "IndexBuilt",
    "IndexDefinition",
    "Moved",
    "Next",
    "Past",
    "Rebuilt",
    "Remains",
    "Repeated",
    "Scope",
    "Thing",
    "Untold",
    "Verdict",
    "aim_of",
    "definition_in",
    "differences",
    "needs_no_lock_timeout",
    "shortcoming",
    "verdict",
]

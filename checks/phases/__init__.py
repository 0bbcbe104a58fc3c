"""Changing a schema while applications run: expand, migrate, contract, and what old code can still do afterwards."""

from __future__ import annotations

from checks.phases.compatibility import Broken, Compatibility, compatibility
from checks.phases.contracts import Applied, Contract, contracts_of, require_ready
from checks.phases.phase import Phase, Phased, phase_of
from checks.phases.splits import Split, split

__all__ = [
    "Applied",
    "Broken",
    "Compatibility",
    "Contract",
    "Phase",
    "Phased",
    "Split",
    "compatibility",
    "contracts_of",
    "phase_of",
    "require_ready",
    "split",
]

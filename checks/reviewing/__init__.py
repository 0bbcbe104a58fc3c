"""The review checklist of a migration policy, as results."""

from __future__ import annotations

from checks.reviewing.checklist import checklist
from checks.reviewing.values import CiResult, Item, Outcome, Subject

__all__ = ["CiResult", "Item", "Outcome", "Subject", "checklist"]

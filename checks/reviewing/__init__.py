"""The review of a migration: its phase, what it breaks, and the checklist of the policy as results."""

from __future__ import annotations

from checks.reviewing.checklist import checklist
from checks.reviewing.review import Proposed, Review
from checks.reviewing.values import CiResult, Item, ItemOutcome, Subject

__all__ = ["CiResult", "Item", "ItemOutcome", "Proposed", "Review", "Subject", "checklist"]

"""The class of a script, safe, controlled or high-risk, with its reasons in plain words."""

from __future__ import annotations

from checks.risk.classes import classify
from checks.risk.values import LIMITS, Classified, Limits, Risk

__all__ = ["LIMITS", "Classified", "Limits", "Risk", "classify"]

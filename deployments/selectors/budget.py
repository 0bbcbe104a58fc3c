"""How long the application may wait for the scripts of a plan: the policy's budget, and what a script asks above it."""

from collections.abc import Mapping, Sequence
from typing import Any

from checks.budget import BLOCKING, Budget, asked_by_script, asks_for_more, with_asked
from checks.comments.directives import Kind, directives
from checks.policy import blocking_budget
from checks.statements import parse
from deployments.models.run import RunKind

WAY_BACK = {"oldest_seconds": 5.0, "total_seconds": 50.0}
"""What a way back may take if the policy gives less: an application that is broken anyway may wait a little (DESIGN,
section 8).
"""


def budget_for(rules: Mapping[str, Any], kind: str, scripts: Sequence[tuple[str, str]]) -> Budget:
    """Return the budget of a plan. Raises PolicyUnreadable, and what the parser raises."""
    usual = blocking_budget(rules)
    if kind == RunKind.ROLLBACK:  # what its scripts ask for nobody was asked about, and nobody is then
        return with_asked(usual, [WAY_BACK])
    return with_asked(usual, (asked for _, text in scripts for asked, _ in _asked(text)))


def wants_more(rules: Mapping[str, Any], scripts: Sequence[tuple[str, str]]) -> bool:
    """Return whether a script asks for more than the policy's budget. Raises PolicyUnreadable."""
    usual = blocking_budget(rules)
    return asks_for_more(with_asked(usual, (asked for _, text in scripts for asked, _ in _asked(text))), usual)


def reasons_for_more(scripts: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    """Return which migration asks for more time, and why, as its author wrote it."""
    return [(name, why) for name, text in scripts for _, why in _asked(text)]


def differs(budget: Mapping[str, Any], usual: Budget) -> bool:
    """Return whether the application may wait longer or shorter than usual."""
    return any(budget[name] != usual[name] for name in BLOCKING)


def _asked(text: str) -> list[tuple[dict[str, float], str]]:
    if "budget" not in text.lower():  # most files do not speak of it, and need not be parsed for it
        return []
    found = []
    for one in directives(parse(text)):
        asked = asked_by_script(one.argument) if one.kind is Kind.BUDGET else ""
        if not isinstance(asked, str):
            found.append((asked, one.reason))
    return found

"""From a script in its world to its class: by the kinds of its changes, raised by what they do there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from checks.errors import Unparsable
from checks.estimate import Estimate, estimates
from checks.recipes import kept_names
from checks.risk.kinds import Case, by_kind
from checks.risk.raised import by_halves, by_rows, by_time, by_unknown, several_tables
from checks.risk.values import LIMITS, Classified, Limits, Risk

if TYPE_CHECKING:
    from checks.context import Context


def classify(
    context: Context | Unparsable,
    *,
    limits: Limits = LIMITS,
    estimated: tuple[tuple[Estimate, ...], ...] | None = None,
) -> Classified:
    """Return the class of a script and the reasons for it. What could not be parsed is high-risk.

    The kind of each change gives the class; how long a lock is kept, who would wait, how many tables are locked and
    what cannot be analysed raise it. A size that is not known counts as large. `estimated` is what `estimates` says of
    the same context, where that is known already.
    """
    if isinstance(context, Unparsable):
        return Classified(Risk.HIGH, (f"the script cannot be analysed: line {context.line}, {context.problem}",))
    kept, found = kept_names(context), list[Classified]()
    for seen, about in zip(context.seen, estimated or estimates(context), strict=True):
        found.extend(by_kind(Case(change, seen, about, context, limits, kept)) for change in seen.statement.changes)
        found.extend(by_time(seen, about, context.world.rates, limits))
        found.extend(by_rows(seen, context.world.rates, limits))
        found.extend(by_unknown(seen))
    found.extend(several_tables(context))
    found.extend(by_halves(context))
    if not found:
        return Classified(Risk.SAFE, ("the script holds no statement",))
    risk = max(item.risk for item in found)
    reasons = dict.fromkeys(reason for item in found if item.risk == risk for reason in item.reasons)
    return Classified(risk, tuple(reasons))

"""A change of more rows in one piece than an environment allows: refused, with the comment that has it batched."""

from __future__ import annotations

from checks.batching.plain import PlainChange
from checks.finding import Finding, Severity

CODE = "plain-rows-limit"


def over_limit(change: PlainChange, limit: int | None) -> Finding | None:
    """Return the finding that refuses a change of rows, None if it may be run in one piece; no limit: it always may."""
    if limit is None or (change.rows is not None and change.rows <= limit):
        return None
    if change.rows is None:
        told = f"how many rows {change.table} has is not known, and counts as more than the {limit:,} allowed here"
    else:
        told = f"that may be {change.rows:,} rows, more than the {limit:,} allowed here"
    if change.directive:
        remedy = f"Have it run in batches: write on the line before it {change.directive}"
    elif change.problem:
        remedy = f"It cannot be run in batches yet: {change.problem} Or allow more by the policy's plain_rows_limit."
    else:
        remedy = "Change fewer rows, named by a key, or allow more by the policy's plain_rows_limit."
    return Finding(
        code=CODE,
        severity=Severity.BLOCKING,
        message=f"{change.kind} changes rows of {change.table} in one transaction: {told}.",
        help=remedy,
        rewrite=f"{change.directive}\n{change.statement};" if change.directive else "",
        line=change.line,
        column=1,
        statement=-1,
    )

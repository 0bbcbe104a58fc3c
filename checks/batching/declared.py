"""Which statements of a script a comment declares as batched, each with the statement that is sent for one batch."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from checks.batch import Batch
from checks.batching.rewriting import ranged
from checks.batching.shape import batched_range
from checks.comments.directives import Directive, Kind, directives
from checks.statements import Script, Statement


def with_batches(script: Script) -> Script:
    """Return a script whose statements know what a comment declares of batches, and then are outside a transaction.

    The parser reads statements, not comments: whoever judges or runs a script asks for this first.
    """
    if "batch" not in script.text.lower():
        return script
    declared: dict[int, list[Directive]] = {}
    for one in directives(script):
        if one.kind is Kind.BATCH:
            declared.setdefault(one.statement, []).append(one)
    if not declared:
        return script
    return replace(
        script,
        statements=tuple(
            replace(one, batch=_batch(one, declared[one.index]), outside_transaction=True)
            if one.index in declared
            else one
            for one in script.statements
        ),
    )


def batches_of(statements: Iterable[Statement]) -> Iterator[dict[str, Any]]:
    """Yield what a plan says of each batched statement of a script: exactly what is sent for one batch, and its key."""
    for one in statements:
        if one.batch is not None:
            told = {"table": one.batch.table, "key": list(one.batch.key), "size": one.batch.size, "sql": one.batch.sql}
            yield {"statement": one.index + 1, **told}


def _batch(statement: Statement, said: list[Directive]) -> Batch:
    first = said[0]
    batch = Batch(first.argument, first.key, first.size, first.line)
    if len(said) > 1:
        return replace(batch, problem="two comments say how it is to be batched: keep one of them")
    if first.problem:
        return replace(batch, problem=f"the comment cannot be read: {first.problem}")
    use = batched_range(statement.tree, first.argument)
    if isinstance(use, str):
        return replace(batch, problem=use)
    batch = replace(batch, is_only=not use.flag("inh"))
    sql = ranged(statement, use, first.key)
    if not sql:
        return replace(batch, problem="it is too deep, or uses a form that cannot be written back exactly")
    return replace(batch, sql=sql)

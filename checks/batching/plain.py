"""Changes of many rows in one piece, and the same declared as batched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from checks.batching.declared import with_batches
from checks.batching.keys import directive, keys_of
from checks.batching.named import rows_named
from checks.batching.soundness import problems
from checks.changes import Verb
from checks.context import Context, Seen
from checks.durations import bytes_of, rows_of
from checks.model import Relation, Schema
from checks.statements import Statement, parse
from checks.tree import Tree

LEAST_BYTES = 28
"""A row of no columns: 24 bytes of header, aligned, and 4 of its place on the page (manual, section 66.6)."""

_VERBS = frozenset({Verb.UPDATE, Verb.DELETE, Verb.CHANGE_ALL_ROWS})
_TAGS = frozenset({"UpdateStmt", "DeleteStmt"})


@dataclass(frozen=True, slots=True)
class PlainChange:
    """An UPDATE or DELETE in one piece: how many rows it may change at most, None where nobody knows.

    `directive` is the comment that would have it batched, "" where that is not possible, and then `problem` says why,
    if the table is known. `statement` is its text.
    """

    line: int
    table: str
    kind: str
    rows: int | None
    directive: str
    statement: str
    problem: str = ""


def plain_changes(context: Context) -> Iterator[PlainChange]:
    """Yield the changes of rows in one piece, of tables that the script did not make itself."""
    for seen in context.seen:
        statement = seen.statement
        if statement.tree.tag not in _TAGS or statement.batch is not None:
            continue
        table = statement.tree.relation()
        relation = seen.before.find(table)
        if statement.is_new(table) or (relation is not None and seen.before.is_new(relation.name)):
            continue
        if not any(change.verb in _VERBS and change.table == table for change in statement.changes):
            continue
        rows = _most(statement.tree, relation, seen.before)
        comment, problem = _tried(seen)
        yield PlainChange(statement.line, table, statement.kind, rows, comment, statement.sql, problem)


def suggested(seen: Seen) -> str:
    """Return the comment that has a statement batched, to be written on the line before it; "" if it cannot be."""
    return _tried(seen)[0]


def _tried(seen: Seen) -> tuple[str, str]:
    """Return the comment that has a statement batched by one of its table's keys; else "" and why it cannot be."""
    statement, schema = seen.statement, seen.before
    table = _table(statement, schema)
    relation = schema.find(table) if table else None
    if relation is None:
        return "", ""
    problem = f"{table} has neither a primary key nor a unique index on columns that are NOT NULL."
    for key in keys_of(relation):
        comment = directive(table, key)
        tried = with_batches(parse(f"{comment}\n{statement.sql}")).statements[0]
        found = next(problems(replace(tried, new_tables=statement.new_tables), schema), "")
        if not found:
            return comment, ""
        problem = found
    return "", problem


def _table(statement: Statement, schema: Schema) -> str:
    """Return the table whose rows a statement goes through; of INSERT … SELECT the biggest one that it reads."""
    if statement.tree.tag in _TAGS:
        return statement.tree.relation()
    if statement.tree.tag != "InsertStmt":
        return ""
    written = statement.tree.relation()
    read = [name for name in statement.relations if name != written]
    return max(read, key=lambda name: rows_of(schema.place(name), schema) or 0, default="")


def _most(tree: Tree, relation: Relation | None, schema: Schema) -> int | None:
    """Return how many rows a statement can reach: those that its condition names one by one, else all there are."""
    if relation is None:
        return 0 if schema.is_certain else None
    is_alone = not tree.each("fromClause") and not tree.each("usingClause")
    named = rows_named(tree.get("whereClause"), tree.get("relation"), relation, is_alone=is_alone)
    rows, size = rows_of(relation.name, schema), bytes_of(relation.name, schema)
    # Never counted, as the server's statistics begin: no row takes less than its header and its place on the page.
    there = size // LEAST_BYTES if rows is None and size is not None else rows
    return min((count for count in (named, there) if count is not None), default=None)

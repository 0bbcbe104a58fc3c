"""foreign-key-type-mismatch: the two ends of a foreign key have different types."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.keys_made import KeyMade, keys_made
from checks.alterations.type_words import type_words
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.model import DataType
from checks.names import quote

_TEXTS = frozenset({"text", "varchar"})
_INTEGERS = ("int2", "int4", "int8")


def _judge(context: Context) -> Iterator[Hit]:
    for made in keys_made(context):
        for column, other, mine, theirs in _ends(made):
            if problem := _problem(mine, theirs):
                parent = made.key.references
                yield Hit(
                    made.seen.statement,
                    f"{made.child.name}.{quote(column)} is {type_words(mine)}, but {parent}.{quote(other)} "
                    f"is {type_words(theirs)}: {problem}.",
                )


def _ends(made: KeyMade) -> Iterator[tuple[str, str, DataType, DataType]]:
    parent = made.parent
    for column, other in zip(made.key.columns, made.key.referenced_columns, strict=False):
        mine, theirs = made.child.columns.get(column), parent.columns.get(other) if parent else None
        if mine and theirs and mine.type.name and theirs.type.name:
            yield column, other, mine.type, theirs.type


def _problem(mine: DataType, theirs: DataType) -> str:
    if mine.name == theirs.name or {mine.name, theirs.name} <= _TEXTS or not (mine.is_built_in and theirs.is_built_in):
        return ""
    if {mine.name, theirs.name} <= {*_INTEGERS}:
        # The wider end at the referring table is how a key is widened: that table comes first.
        is_narrower = _INTEGERS.index(mine.name) < _INTEGERS.index(theirs.name)
        return "keys that are too large for the first cannot be referred to" if is_narrower else ""
    return "they are compared by conversion, which may not use the index, and not every value fits"


RULE = Rule(
    code="foreign-key-type-mismatch",
    title="Foreign key between different types",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="An integer that refers to a bigint works until the key passes 2,147,483,647; then no row can refer to it. "
    "Other pairs of types are compared by converting one of them, for every lookup.",
    blocks="Nothing now. Later inserts fail, or lookups are slow.",
    help="Give the referring column the type of the column it refers to, before rows refer by it.",
    source="PostgreSQL manual, CREATE TABLE, REFERENCES",
    judge=_judge,
    given="CREATE TABLE customers (id bigint PRIMARY KEY);",
    bad="CREATE TABLE orders (id bigint PRIMARY KEY, customer_id integer REFERENCES customers (id));",
    good="CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint REFERENCES customers (id));",
)

"""What is written with a type that was made: expressions, views and functions, which go with it by CASCADE."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from checks.model.relations import PUBLIC, DataType, Name, Relation
from checks.model.schema import Function, Schema
from checks.names import qualified, quote


def names_type(text: str, kind: Name) -> bool:
    """True when an expression or a query, as the model keeps it, has a cast to a type."""
    return kind.name in text and _cast_to(kind).search(text) is not None


@lru_cache(maxsize=256)
def _cast_to(kind: Name) -> re.Pattern[str]:
    written = {qualified(*kind), str(kind), *([quote(kind.name)] if kind.schema == PUBLIC else [])}
    either = "|".join(re.escape(one) for one in sorted(written))
    # As the server writes it, and as the parser's writer does.
    return re.compile(rf"::\s*(?:{either})(?![\w$\".])| AS (?:{either})(?:\[\])*\)")


def uses_of_type(relation: Relation, kind: Name) -> Iterator[str]:
    """Yield what of a relation is written with a type, in words; the columns that have it are not in here."""
    for column in relation.columns.values():
        if column.default and names_type(column.default, kind):
            what = f"column {quote(column.name)}, which is computed," if column.generated else "the default"
            yield what if column.generated else f"{what} of {quote(column.name)}"
    for constraint in relation.constraints.values():
        if names_type(constraint.expression, kind):
            yield f"the constraint {quote(constraint.name)}"
    for index in relation.indexes.values():
        if any(names_type(one, kind) for one in (*index.expressions, index.predicate)):
            yield f"the index {quote(index.name)}"
    for policy, condition in relation.policies.items():
        if names_type(condition, kind):
            yield f"the policy {quote(policy)}"


def is_made_with(relation: Relation, kind: Name) -> bool:
    """True for a view whose query has a cast to a type: it goes as a whole."""
    return names_type(relation.query, kind)


def functions_with(schema: Schema, kind: Name) -> Iterator[Function]:
    """Yield the functions that take a type or give it back."""
    for overloads in schema.functions.values():
        for one in overloads:
            if any(_is(each, kind) for each in (*one.types, *([one.returns] if one.returns else []))):
                yield one


def _is(told: DataType, kind: Name) -> bool:
    return (told.schema, told.name) == tuple(kind)

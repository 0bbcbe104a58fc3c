"""The small changes of a schema from which the large ones are made. Each returns a new value."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeVar

from checks.model.facts import CHILD_OF, OWNED_BY
from checks.model.naming import is_relation
from checks.model.relations import Column, Constraint, Index, Kind, Name, Relation
from checks.model.schema import Schema
from checks.names import qualified, split
from checks.tree import Tree

Key = TypeVar("Key")
Value = TypeVar("Value")


class Refused(Exception):
    """The server would refuse the statement, or it is about something that is not known: the schema stays as it is."""


def require(schema: Schema, name: str) -> Relation:
    """Return the relation that a name as SQL means. Raises Refused where there is none."""
    found = schema.find(name)
    if found is None:
        raise Refused(name)
    return found


def require_column(relation: Relation, name: str) -> Column:
    """Return a column. Raises Refused where there is none."""
    found = relation.columns.get(name)
    if found is None:
        raise Refused(name)
    return found


def require_index(schema: Schema, name: str) -> tuple[Relation, Index]:
    """Return an index with its table, by its name as SQL. Raises Refused where there is none."""
    found = schema.find_index(name)
    if found is None:
        raise Refused(name)
    return found, found.indexes[name_of(name)]


def name_of(dotted: str) -> str:
    """Return the last part of a name as SQL, without quotes."""
    return split(dotted)[1]


def new_name(schema: Schema, relation: Tree) -> Name:
    """Return the full name that a new relation gets. Raises Refused where it is taken."""
    name = target(schema, relation)
    if is_relation(schema, name):
        raise Refused(str(name))
    return name


def target(schema: Schema, relation: Tree) -> Name:
    """Return the full name of a relation that is about to be made, from its RangeVar."""
    written = relation.text("schemaname")
    if relation.text("relpersistence") == "t" or written == "pg_temp":
        return Name("pg_temp", relation.text("relname"))
    return Name(written or creation_schema(schema), relation.text("relname"))


def creation_schema(schema: Schema) -> str:
    """Return the schema where something without a schema is made: the first of the path that exists."""
    existing = [one for one in schema.path if one in schema.schemas or not schema.is_complete]
    if not existing:
        raise Refused("no schema to create in")
    return existing[0]


def dotted_name(parts: Iterable[Tree]) -> str:
    """Return a list of String nodes as a name in SQL."""
    return qualified(*(part.text("sval") for part in parts))


def collation_of(clause: Tree | None, name: str = "collname") -> str:
    """Return the collation that a node names, as SQL; the system's own without its schema."""
    names = [part.text("sval") for part in clause.each(name)] if clause else []
    return qualified(*(names[1:] if names[:1] == ["pg_catalog"] else names))


def without(values: Mapping[Key, Value], *names: Key) -> dict[Key, Value]:
    """Return a mapping without some of its keys."""
    return {key: value for key, value in values.items() if key not in names}


def renamed(values: Mapping[str, Value], old: str, new: str, value: Value) -> dict[str, Value]:
    """Return a mapping in which one key has another name and value, at the same place."""
    return {new if key == old else key: value if key == old else one for key, one in values.items()}


def with_column(relation: Relation, column: Column) -> Relation:
    """Return a relation with this column, in the place of one of the same name, else at the end."""
    return replace(relation, columns={**relation.columns, column.name: column})


def with_constraint(relation: Relation, constraint: Constraint) -> Relation:
    """Return a relation with this constraint."""
    return replace(relation, constraints={**relation.constraints, constraint.name: constraint})


def with_index(relation: Relation, index: Index) -> Relation:
    """Return a relation with this index."""
    return replace(relation, indexes={**relation.indexes, index.name: index})


def current(schema: Schema, name: Name) -> Relation:
    """Return a relation as it is now. Raises Refused where it is gone."""
    found = schema.relations.get(name)
    if found is None:
        raise Refused(str(name))
    return found


def children(schema: Schema, name: Name) -> tuple[Relation, ...]:
    """Return the partitions and the inheriting tables directly below one."""
    return tuple(schema.those(CHILD_OF, name))


def family(schema: Schema, name: Name) -> Iterator[Name]:
    """Yield a table and every one below it, parents before children, each once."""
    seen: dict[Name, None] = {}
    waiting = [name]
    while waiting:
        one = waiting.pop(0)
        if one not in seen:
            seen[one] = None
            yield one
            waiting.extend(child.name for child in children(schema, one))


def require_own_column(schema: Schema, table: Name, column: str) -> None:
    """Raise Refused where a table has a column from a parent, or a child of it also from a parent beside the family."""
    below = set(family(schema, table))
    for one in below:
        relation = current(schema, one)
        parents = {*relation.inherits, *([relation.partition_of] if relation.partition_of else [])}
        strangers = parents - (below if one != table else set())
        if any(column in current(schema, parent).columns for parent in strangers):
            raise Refused(f"{column} is inherited")


def owned_sequences(schema: Schema, table: Name, column: str | None = None) -> tuple[Name, ...]:
    """Return the sequences that belong to a table, or to one column of it."""
    return tuple(
        one.name
        for one in schema.those(OWNED_BY, table)
        if one.kind is Kind.SEQUENCE and one.owner and column in {None, one.owner[1]}
    )

"""RENAME of what belongs to a table: columns, constraints, indexes; and wherever else they are mentioned."""

from __future__ import annotations

import re
from dataclasses import replace

from checks.model.edit import Refused, current, family, renamed, require_column, require_own_column
from checks.model.naming import is_relation
from checks.model.relations import Constraint, ConstraintKind, Firing, Index, Name, Relation
from checks.model.schema import Schema
from checks.names import quote


def rename_constraint(schema: Schema, table: Name, old: str, new: str) -> Schema:
    """Return the schema in which a constraint has another name, on everything below that has it from there too."""
    relation = current(schema, table)
    held = relation.constraints.get(old)
    if held is None or new in relation.constraints:
        raise Refused(old)
    if held.index:
        return rename_index(schema, table, relation.indexes[held.index], new)
    for one in family(schema, table) if held.kind is not ConstraintKind.FOREIGN_KEY else (table,):
        below = current(schema, one)
        if (own := below.constraints.get(old)) and (one == table or own.is_inherited):
            made = renamed(below.constraints, old, new, replace(own, name=new))
            schema = schema.having(replace(below, constraints=made))
    return schema


def rename_index(schema: Schema, table: Name, index: Index, new: str) -> Schema:
    """Return the schema in which an index has another name, and the constraint that it carries too."""
    relation = current(schema, table)
    if is_relation(schema, Name(table.schema, new)):
        raise Refused(new)
    relation = replace(relation, indexes=renamed(relation.indexes, index.name, new, replace(index, name=new)))
    held = next((one for one in relation.constraints.values() if one.index == index.name), None)
    if held:
        made = replace(held, name=new, index=new)
        relation = replace(relation, constraints=renamed(relation.constraints, held.name, new, made))
    schema = schema.having(relation)
    old, now = Name(table.schema, index.name), Name(table.schema, new)
    for part in tuple(schema.partitions(table)):
        if any(one.parent == old for one in part.indexes.values()):
            schema = schema.having(replace(part, indexes={
                name: replace(one, parent=now) if one.parent == old else one for name, one in part.indexes.items()
            }))  # fmt: skip
    return schema


def rename_column(schema: Schema, table: Name, old: str, new: str) -> Schema:
    """Return the schema in which a column has another name, on everything below and wherever it is mentioned."""
    require_own_column(schema, table, old)
    for one in family(schema, table):
        relation = current(schema, one)
        require_column(relation, old)
        if new in relation.columns:
            raise Refused(new)
        schema = schema.having(_with_column_named(relation, old, new))
    names = set(family(schema, table))
    for relation in tuple(schema.relations.values()):
        if relation.uses.keys() & names:
            uses = {one: _swapped_set(used, old, new) if one in names else used for one, used in relation.uses.items()}
            schema = schema.having(replace(relation, uses=uses))
        if relation.owner and relation.owner[0] in names and relation.owner[1] == old:
            schema = schema.having(replace(relation, owner=(relation.owner[0], new)))
        elif any(one.references in names and old in one.referenced_columns for one in relation.constraints.values()):
            constraints = {
                key: replace(one, referenced_columns=_swapped(one.referenced_columns, old, new))
                if one.references in names else one
                for key, one in relation.constraints.items()
            }  # fmt: skip
            schema = schema.having(replace(relation, constraints=constraints))
    return schema


def _with_column_named(relation: Relation, old: str, new: str) -> Relation:
    columns = renamed(relation.columns, old, new, replace(relation.columns[old], name=new))
    columns = {
        key: replace(one, default=_reworded(one.default, old, new)) if one.generated and one.default else one
        for key, one in columns.items()
    }
    return replace(
        relation,
        columns=columns,
        constraints={key: _constraint(one, old, new) for key, one in relation.constraints.items()},
        indexes={key: _index(one, old, new) for key, one in relation.indexes.items()},
        partition_columns=_swapped_set(relation.partition_columns, old, new),
        firings={key: _firing(one, old, new) for key, one in relation.firings.items()},
        partition_key=_reworded(relation.partition_key, old, new)
        if old in relation.partition_columns
        else relation.partition_key,
    )


def _constraint(held: Constraint, old: str, new: str) -> Constraint:
    if old not in held.columns:
        return held
    return replace(
        held,
        columns=_swapped(held.columns, old, new),
        not_null=_swapped_set(held.not_null, old, new),
        expression=_reworded(held.expression, old, new),
    )


def _index(index: Index, old: str, new: str) -> Index:
    if old not in index.uses:
        return index
    return replace(
        index,
        columns=_swapped(index.columns, old, new),
        includes=_swapped(index.includes, old, new),
        uses=_swapped_set(index.uses, old, new),
        expressions=tuple(_reworded(one, old, new) for one in index.expressions),
        predicate=_reworded(index.predicate, old, new),
        definition="",
    )


def _firing(firing: Firing, old: str, new: str) -> Firing:
    return replace(
        firing,
        columns=_swapped_set(firing.columns, old, new),
        condition=_swapped_set(firing.condition, old, new),
    )


def _swapped(names: tuple[str, ...], old: str, new: str) -> tuple[str, ...]:
    return tuple(new if one == old else one for one in names)


def _swapped_set(names: frozenset[str], old: str, new: str) -> frozenset[str]:
    return frozenset(new if one == old else one for one in names)


def _reworded(expression: str, old: str, new: str) -> str:
    """Return an expression in SQL with another column name; what is in quotes is a text, and stays."""
    parts = re.split(r"('(?:[^']|'')*')", expression)
    word = re.compile(rf"(?<![\w$\"]){re.escape(quote(old))}(?![\w$\"(])")
    return "".join(part if part.startswith("'") else word.sub(lambda _: quote(new), part) for part in parts)

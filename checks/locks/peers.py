"""The other tables: those at the far end of a foreign key, those below, the views above, the sequences owned."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from checks.locks.gathering import Gathering
from checks.locks.sql import expression
from checks.locks.values import Mode
from checks.model import Constraint, ConstraintKind, Kind, Name, Relation, Schema
from checks.model.facts import CHILD_OF, OF_TYPE, OWNED_BY
from checks.names import quote
from checks.tree import Tree


def family(schema: Schema, relation: Relation) -> Iterator[Relation]:
    """Yield a table and every one below it, each once."""
    seen: dict[Name, Relation] = {relation.name: relation}
    waiting = [relation]
    while waiting:
        above = waiting.pop(0)
        yield above
        for one in below(schema, above):
            if one.name not in seen:
                seen[one.name] = one
                waiting.append(one)


def below(schema: Schema, relation: Relation) -> tuple[Relation, ...]:
    """Return the partitions and the inheriting tables directly below one."""
    name = relation.name
    return tuple(schema.those(CHILD_OF, name))


def default_partition(schema: Schema, parent: Name) -> Relation | None:
    """Return the default partition of a table, or None."""
    return next((one for one in schema.partitions(parent) if one.bound.upper() == "DEFAULT"), None)


def foreign_keys(relation: Relation) -> Iterator[Constraint]:
    """Yield the foreign keys of a table."""
    return (one for one in relation.constraints.values() if one.kind is ConstraintKind.FOREIGN_KEY)


_TRIGGERS_ON_PARTITIONED = 15
"""Since this version a key to a partitioned table has triggers on that table too, not on its partitions only."""


def lock_referenced(g: Gathering, key: Constraint, mode: Mode, because: str, *, is_named: bool = True) -> None:
    """Lock the table that a foreign key refers to, with its partitions. `is_named` where the server opens it anyway."""
    if key.references is None:
        return
    parent = g.schema.relations.get(key.references)
    if parent is None:
        g.lock(key.references, mode, because=because)
        return
    for one in family(g.schema, parent) if parent.kind is Kind.PARTITIONED else (parent,):
        is_opened = one.kind is not Kind.PARTITIONED or (is_named and one is parent)
        if is_opened or g.since(_TRIGGERS_ON_PARTITIONED) or mode is not Mode.ACCESS_EXCLUSIVE:
            g.lock(one, mode, because=because)


def ancestors(schema: Schema, relation: Relation) -> Iterator[Relation]:
    """Yield the tables that one is a partition of, nearest first."""
    above = relation.partition_of
    while above is not None and (found := schema.relations.get(above)) is not None:
        yield found
        above = found.partition_of


def keys_to_whole(schema: Schema, relation: Relation) -> Iterator[tuple[Relation, Constraint]]:
    """Yield the tables with each foreign key that refers to a table, or to one that it is a partition of."""
    for one in (relation, *ancestors(schema, relation)):
        yield from keys_on(schema, one)


def keys_on(
    schema: Schema, relation: Relation, columns: Iterable[str] | None = None
) -> Iterator[tuple[Relation, Constraint]]:
    """Yield the tables with each foreign key that refers to a table, or to these columns of it."""
    wanted = None if columns is None else frozenset(columns)
    for table, key in schema.referencing(relation.name):
        if wanted is None or wanted & frozenset(referenced_columns(relation, key)):
            yield table, key


def referenced_columns(relation: Relation, key: Constraint) -> tuple[str, ...]:
    """Return the columns that a foreign key refers to: without any written, those of the primary key."""
    if key.referenced_columns:
        return key.referenced_columns
    primary = (one for one in relation.constraints.values() if one.kind is ConstraintKind.PRIMARY_KEY)
    return next((one.columns for one in primary), ())


def owned_sequences(schema: Schema, table: Name, column: str | None = None) -> Iterator[Relation]:
    """Yield the sequences that belong to a table, or to one column of it."""
    for one in schema.those(OWNED_BY, table):
        if one.kind is Kind.SEQUENCE and one.owner and column in {None, one.owner[1]}:
            yield one


def readers(schema: Schema, name: Name) -> Iterator[Relation]:
    """Yield every view that reads a relation, also through other views, each once."""
    seen: set[Name] = set()
    waiting = [name]
    while waiting:
        for one in schema.readers(waiting.pop(0)):
            if one.name not in seen:
                seen.add(one.name)
                waiting.append(one.name)
                yield one


def uses_column(view: Relation, table: Relation, column: str) -> bool:
    """Tell whether a view names a column of a table that it reads. Where that is not known: yes."""
    used = view.uses.get(table.name)
    return used is None or column in used


def hooked(schema: Schema, name: Name, column: str = "") -> Iterator[tuple[Relation, str]]:
    """Yield the relations with a rule or policy that names another one, or a column of it, and which.

    What a rule does with the columns is not known: it is yielded for the relation alone.
    """
    for one in schema.relations.values():
        if one.name == name:
            continue
        for rule, names in one.rules.items():
            if name in names and not column:
                yield one, f"the rule {quote(rule)}"
        for policy, condition in one.policies.items():
            tree = expression(condition) if name.name in condition else None
            if tree is not None and column and not _names_column(tree, column):
                continue
            for node in tree.walk() if tree else ():
                found = schema.find(node.range_name()) if node.tag == "RangeVar" else None
                if found is not None and found.name == name:
                    yield one, f"the policy {quote(policy)}"


def _names_column(tree: Tree, column: str) -> bool:
    return any(one.tag == "ColumnRef" and one.each("fields")[-1].text("sval") == column for one in tree.walk())


def policies_using(table: Relation, column: str) -> Iterator[str]:
    """Yield the policies of a table that name one of its columns."""
    for policy, condition in table.policies.items():
        tree = expression(condition) if column in condition else None
        for node in tree.walk() if tree else ():
            names = [one.text("sval") for one in node.each("fields")] if node.tag == "ColumnRef" else []
            if names[-1:] == [column] and names[:-1] in ([], [table.name.name]):
                yield policy
                break


def users_of(schema: Schema, composite: Relation) -> Iterator[tuple[Relation, str]]:
    """Yield the tables with each column that is of a composite type, or of the rows of a table."""
    for table in schema.those(OF_TYPE, composite.name.name):
        for column in table.columns.values():
            if (column.type.schema, column.type.name) == tuple(composite.name):
                yield table, column.name

"""Another type for a column: a second column beside it, kept by a trigger, filled in batches, then put in its place."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from checks.alterations.commands import Command
from checks.alterations.type_changes import TypeChange
from checks.locks.columns import is_computed_from
from checks.locks.peers import policies_using, uses_column
from checks.model import Column, Constraint, ConstraintKind, Index, Kind, Name, Relation
from checks.names import derived, quote, unqualified
from checks.recipes.constraints import not_null
from checks.recipes.files import ALONE, File, batch, in_files, literal
from checks.recipes.triggers import FillTrigger
from checks.statements import parse
from checks.tree import Tree
from checks.words import listed


def changed_in_steps(change: TypeChange) -> str:
    """Return the SQL that gives a column another type without keeping others waiting.

    An index that has to be made again by hand is named in a comment. It is "" where something would fail, or would
    stay with the old column and mean another thing: see `by_hand`.
    """
    return "" if by_hand(change) else in_files(_Swap(change).files())


def by_hand(change: TypeChange) -> list[str]:
    """Return in words what keeps the steps from being written here: what would stay with the old column."""
    return list(_Swap(change).in_the_way())


def words_by_hand(change: TypeChange) -> str:
    """Return the sentence that a finding says in the place of the steps; "" where there are steps."""
    found = by_hand(change)
    if not found:
        return ""
    return f" By hand: no steps are suggested, because {listed(found)} would stay with the old column."


@dataclass(frozen=True)
class _Swap:
    change: TypeChange

    @property
    def command(self) -> Command:
        return self.change.command

    @property
    def table(self) -> str:
        return self.command.sql_table

    @property
    def relation(self) -> Relation | None:
        return self.command.relation

    @property
    def column(self) -> Column | None:
        return self.command.column

    @property
    def new(self) -> str:
        return self._free("new")

    @property
    def old(self) -> str:
        return self._free("old")

    def _free(self, suffix: str) -> str:
        """Return a column's name, as SQL, that the table has none of."""
        taken = self.relation.columns if self.relation else {}
        name, number = derived(self.command.sql_name, suffix), 1
        while unqualified(name) in taken:
            number += 1
            name = derived(self.command.sql_name, f"{suffix}{number}")
        return name

    def files(self) -> Iterator[File]:
        """Yield the files in order."""
        change, name = self.change, self.command.sql_name
        made = self._trigger.made(change.value_sql)
        yield File(f"ALTER TABLE {self.table} ADD COLUMN {self.new} {change.new_sql};\n{made}")
        yield batch(self.command, f"{self.new} = {change.value_sql}", f"{self.new} IS NULL AND {name} IS NOT NULL")
        if self.column is not None and not self.column.is_nullable:
            yield from not_null(self.command, unqualified(self.new))
        for index in self._indexes:
            yield File(self._index_again(index), ALONE)
        yield File("\n".join(self._swap()))
        if valid := [(table, key) for table, key in self._incoming if key.is_valid]:
            yield File("\n".join(f"ALTER TABLE {t.name} VALIDATE CONSTRAINT {quote(k.name)};" for t, k in valid))
        if self._own_keys:
            yield File(
                "\n".join(f"ALTER TABLE {self.table} VALIDATE CONSTRAINT {quote(k.name)};" for k in self._own_keys)
            )

    def _swap(self) -> Iterator[str]:
        """Yield the statements of the one short transaction that puts the new column in the place of the old one."""
        table, name, column = self.table, self.command.sql_name, self.column
        yield from (f"ALTER TABLE {child.name} DROP CONSTRAINT {quote(key.name)};" for child, key in self._incoming)
        yield from (f"ALTER TABLE {table} DROP CONSTRAINT {quote(key.name)};" for key in self._own_keys)
        yield from (f"ALTER TABLE {table} DROP CONSTRAINT {quote(one.name)};" for one in self._keyed)
        yield self._trigger.dropped
        yield f"ALTER TABLE {table} RENAME COLUMN {name} TO {self.old};"
        yield f"ALTER TABLE {table} RENAME COLUMN {self.new} TO {name};"
        if column is not None:
            yield from self._values(column)
        for one in self._keyed:
            index = self._new_name(one.index)
            timing = f" {one.timing}" if one.timing else ""
            yield f"ALTER TABLE {table} ADD CONSTRAINT {quote(one.name)} {one.kind} USING INDEX {index}{timing};"
        for child, key in self._incoming:
            yield _reference(str(child.name), key, table)
        for key in self._own_keys:
            yield _reference(table, key, str(key.references))
        if left := [quote(one.name) for one in self._other_indexes if not one.is_unique]:
            yield f"-- by hand, for the new column: {', '.join(left)}"
        yield f"-- when nobody has missed it: ALTER TABLE {table} DROP COLUMN {self.old};"

    def _values(self, column: Column) -> Iterator[str]:
        """Yield what moves the source of new values, and lets rows come without the old column."""
        table, name, old = self.table, self.command.sql_name, self.old
        if column.is_identity:
            owned = f"pg_get_serial_sequence({literal(table)}, {literal(column.name)})"
            yield f"ALTER TABLE {table} ALTER COLUMN {old} DROP IDENTITY;"
            yield f"ALTER TABLE {table} ALTER COLUMN {name} ADD GENERATED BY DEFAULT AS IDENTITY;"
            yield f"SELECT setval({owned}, max({name})) FROM {table};"  # noqa: S608 - for a person to read
        elif column.default is not None:
            yield f"ALTER TABLE {table} ALTER COLUMN {name} SET DEFAULT {column.default};"
            yield f"ALTER TABLE {table} ALTER COLUMN {old} DROP DEFAULT;"
            for sequence in self._sequences:
                yield f"ALTER SEQUENCE {sequence} OWNED BY {table}.{name};"
        if not column.is_nullable:
            yield f"ALTER TABLE {table} ALTER COLUMN {old} DROP NOT NULL;"

    @property
    def _sequences(self) -> list[Name]:
        owner = (self.command.table, self.command.name)
        known = self.command.before.relations.values()
        return [one.name for one in known if one.kind is Kind.SEQUENCE and one.owner == owner]

    @property
    def _constraints(self) -> list[Constraint]:
        known = self.relation.constraints.values() if self.relation else ()
        return [one for one in known if self.command.name in one.columns]

    @property
    def _keyed(self) -> list[Constraint]:
        """The PRIMARY KEY and UNIQUE constraints of the column alone."""
        kinds = {ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE}
        return [one for one in self._constraints if one.kind in kinds and one.columns == (self.command.name,)]

    @property
    def _own_keys(self) -> list[Constraint]:
        return [
            one
            for one in self._constraints
            if one.kind is ConstraintKind.FOREIGN_KEY and one.columns == (self.command.name,)
        ]

    @property
    def _incoming(self) -> list[tuple[Relation, Constraint]]:
        """The foreign keys of other tables that refer to the column alone."""
        found = self.command.before.referencing(self.command.table)
        return [(table, key) for table, key in found if key.referenced_columns == (self.command.name,)]

    @property
    def _indexes(self) -> list[Index]:
        """The indexes that can be made again for the new column by putting its name in."""
        known = self.relation.indexes.values() if self.relation else ()
        return [one for one in known if self._is_simple(one)]

    def _is_simple(self, index: Index) -> bool:
        alone = index.uses == frozenset({self.command.name}) and index.columns == (self.command.name,)
        carried = [one for one in self._constraints if one.index == index.name]
        if not alone or index.predicate or any(one not in self._keyed for one in carried):
            return False
        made = _definition(index)
        return made is None or not (made.each("options") or made.flag("nulls_not_distinct"))

    def _index_again(self, index: Index) -> str:
        unique = "UNIQUE " if index.is_unique else ""
        made = _definition(index)
        # What follows the column in its index: collation, operator class, order.
        rest = made.each("indexParams")[0].sql().removeprefix(self.command.sql_name) if made else ""
        method = "" if index.method == "btree" else f"USING {index.method} "
        name = self._new_name(index.name)
        return f"CREATE {unique}INDEX CONCURRENTLY {name} ON {self.table} {method}({self.new}{rest});"

    def _new_name(self, index: str) -> str:
        return derived(quote(index), "new")

    @property
    def _trigger(self) -> FillTrigger:
        return FillTrigger(self.command, unqualified(self.new))

    @property
    def _other_indexes(self) -> list[Index]:
        """The indexes that name the column, belong to no constraint, and cannot be made again here."""
        simple, carried = {one.name for one in self._indexes}, {one.index for one in self._constraints}
        known = self.relation.indexes.values() if self.relation else ()
        return [
            one for one in known if self.command.name in one.uses and one.name not in simple and one.name not in carried
        ]

    def in_the_way(self) -> Iterator[str]:
        """Yield what follows the column when it is renamed, not its name, and cannot be moved in the swap."""
        table, name, before = self.relation, self.command.name, self.command.before
        if table is None:
            return
        made = {one.name for one in self._indexes}
        done = {one.name for one in (*self._keyed, *self._own_keys) if not one.index or one.index in made}
        for held in self._constraints:
            if held.name not in done and held.kind is not ConstraintKind.NOT_NULL:
                yield f"the constraint {quote(held.name)}"
        yield from (f"the unique index {quote(one.name)}" for one in self._other_indexes if one.is_unique)
        for child, key in before.referencing(table.name):
            if name in key.referenced_columns and len(key.referenced_columns) > 1:
                yield f"the foreign key {quote(key.name)} of {child.name}"
        for view in before.readers(table.name):
            if uses_column(view, table, name):
                yield f"the {view.kind} {view.name}"
        yield from (f"the trigger {quote(one)}" for one in table.triggers_on(name))
        yield from (f"the policy {quote(one)}" for one in policies_using(table, name))
        if is_computed_from(table, name):
            yield "a generated column"
        if table.partition_key and (self._indexes or self._own_keys):  # no CONCURRENTLY, and before 18 no NOT VALID
            yield "an index or foreign key of a partitioned table"


def _definition(index: Index) -> Tree | None:
    """Return the statement that made an index, or None for one that a constraint brought along."""
    return _made_by(index.definition) if index.definition else None


@lru_cache(maxsize=64)  # each part of a recipe asks for the same few
def _made_by(definition: str) -> Tree | None:
    statements = parse(definition).statements
    return statements[0].tree if statements and statements[0].tree.tag == "IndexStmt" else None


def _reference(table: str, key: Constraint, parent: str) -> str:
    """Return the SQL that adds a foreign key of one column again, not yet valid."""
    columns, referenced = (", ".join(map(quote, names)) for names in (key.columns, key.referenced_columns))
    actions = "".join(
        f" {word} {action}" for word, action in (("ON DELETE", key.on_delete), ("ON UPDATE", key.on_update)) if action
    )
    timing = f" {key.timing}" if key.timing else ""
    enforced = " NOT VALID" if key.is_enforced else " NOT ENFORCED"
    return (
        f"ALTER TABLE {table} ADD CONSTRAINT {quote(key.name)} FOREIGN KEY ({columns}) "
        f"REFERENCES {parent} ({referenced}){actions}{timing}{enforced};"
    )

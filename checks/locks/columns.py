"""Commands of ALTER TABLE on columns: added, dropped, made NOT NULL, given an identity."""

from __future__ import annotations

from checks.locks.altering import Altering, named
from checks.locks.constraints import add_foreign_key
from checks.locks.nulls import forbid_null
from checks.locks.peers import (
    foreign_keys,
    hooked,
    keys_on,
    lock_referenced,
    owned_sequences,
    policies_using,
    readers,
    uses_column,
)
from checks.locks.sql import expression
from checks.locks.values import Mode, Work
from checks.locks.volatility import Volatility, sequences_in, unknown_calls, volatility_of
from checks.model import ConstraintKind, Kind, Relation, Schema
from checks.model.types import data_type, serial_of
from checks.names import quote
from checks.tree import Tree


def add_column(a: Altering, command: Tree) -> None:
    """ADD COLUMN (lint.md, section 4)."""
    definition, g = command.get("def_"), a.gathering
    if definition is None:
        return
    name = definition.text("colname")
    is_there = name in a.relation.columns
    if a.relation.partition_of is not None:
        g.fail_if_sure(f"{a.relation.name} is a partition: its columns are those of {a.relation.partition_of}")
    if is_there and not command.flag("missing_ok"):
        g.fail_if_there(f"column {quote(name)} is there already", by=a.relation)
    if is_there and (g.is_sure or not command.flag("missing_ok")):
        return
    with g.unsure(when=is_there):
        _added(a, definition, name)


def _added(a: Altering, definition: Tree, name: str) -> None:
    g = a.gathering
    parts = {one.enum("contype"): one for one in definition.each("constraints")}
    fills = _fill(a, definition, parts)
    is_filled = bool(fills[0]) or parts.keys() & {"CONSTR_DEFAULT"} != set()
    for table in a.stored:
        g.work(table, *fills[0], maybe=fills[1])
    _add_checks(a, parts, is_filled=is_filled, name=name)
    for one in definition.each("constraints"):
        if one.enum("contype") == "CONSTR_FOREIGN":
            add_foreign_key(a, one, (name,), is_checked=parts.keys() & {"CONSTR_DEFAULT", "CONSTR_GENERATED"} != set())


def _fill(a: Altering, definition: Tree, parts: dict[str, Tree]) -> tuple[set[Work], set[Work]]:
    """Return the work of giving every row a value, certain and possible."""
    g, kind = a.gathering, definition.get("typeName")
    generated = parts.get("CONSTR_GENERATED")
    if generated is not None and generated.text("generated_kind") == "v":
        if not g.since(18):
            g.fail("a virtual generated column needs PostgreSQL 18")
        return set(), set()
    if serial_of(kind) or "CONSTR_IDENTITY" in parts or generated is not None or _is_checked_domain(kind, g.schema):
        return {Work.REWRITE}, set()
    default = parts.get("CONSTR_DEFAULT")
    value = default.get("raw_expr") if default else None
    if value is not None and any(one.tag == "SubLink" for one in value.walk()):
        g.fail("a default cannot have a SELECT in it")
    told = volatility_of(value, g.schema)
    if told is Volatility.VOLATILE:
        for sequence in sequences_in(value):
            if (found := g.find(sequence)) is not None:
                g.lock(found, Mode.ROW_EXCLUSIVE, because="every row takes a value from it")
        return {Work.REWRITE}, set()
    for call in unknown_calls(value, g.schema):
        g.doubt(f"whether {call}() gives one value for all rows")
    unknown_type = kind is not None and _is_unknown(kind, g.schema)
    return set(), {Work.REWRITE} if told is Volatility.UNKNOWN or unknown_type else set()


def _is_checked_domain(kind: Tree | None, schema: Schema) -> bool:
    user = schema.find_type(data_type(kind, schema))
    return user is not None and user.kind == "domain" and user.has_constraint and not data_type(kind, schema).is_array


def _is_unknown(kind: Tree, schema: Schema) -> bool:
    """True for a type that may be a domain with a constraint, for all that is known."""
    told = data_type(kind, schema)
    if told.is_built_in or schema.find_type(told) is not None or serial_of(kind):
        return False
    return not schema.is_complete or not told.schema


def _add_checks(a: Altering, parts: dict[str, Tree], *, is_filled: bool, name: str) -> None:
    g = a.gathering
    if "CONSTR_PRIMARY" in parts:
        has_key = any(
            one.kind is ConstraintKind.PRIMARY_KEY and one.name not in a.drops
            for one in a.relation.constraints.values()
        )
        if has_key:
            g.fail_if_sure(f"{a.relation.name} has a primary key already")
    forbids_null = parts.keys() & {"CONSTR_NOTNULL", "CONSTR_PRIMARY"}
    for table in a.stored:
        if parts.keys() & {"CONSTR_UNIQUE", "CONSTR_PRIMARY"}:
            g.work(table, Work.BUILD)
            if is_filled:
                g.may_fail(f"fails when {table.name} has more than one row, if each gets the same value")
        check = parts.get("CONSTR_CHECK")
        if check is not None and (check.flag("is_enforced") or not g.since(18)):
            g.work(table, Work.SCAN)
        if forbids_null and not is_filled:
            g.work(table, Work.SCAN)
            rows = g.has_rows(table)
            if rows:
                g.fail(f"{table.name} has rows, and {quote(name)} would be null in them")
            elif rows is None:
                g.may_fail(f"fails when {table.name} has rows: {quote(name)} would be null in them")


def drop_column(a: Altering, command: Tree) -> None:
    """DROP COLUMN: what hangs on the column goes with it, and locks the tables at its other end."""
    g, name = a.gathering, command.text("name")
    cascades = command.enum("behavior") == "DROP_CASCADE"
    if not a.has_column(name):
        if not command.flag("missing_ok"):
            g.fail_if_sure(f"there is no column {quote(name)} in {a.relation.name}")
        return
    if not g.knows(a.relation):
        g.miss(f"foreign keys, sequences and views that use {a.relation.name}.{quote(name)}")
    own = a.relation.columns.get(name)
    if own is not None and not own.is_local:
        g.fail_if_sure(f"{quote(name)} comes from the parent of {a.relation.name}")
    for table in a.tables:
        if name in table.partition_columns:
            g.fail_if_sure(f"{table.name} is divided by {quote(name)}")
        if g.since(15) and not cascades and is_computed_from(table, name):
            g.fail_if_sure(f"a generated column of {table.name} is computed from {quote(name)}")
        _unlink(a, table, name, cascades=cascades)


def _unlink(a: Altering, table: Relation, name: str, *, cascades: bool) -> None:
    g = a.gathering
    for key in foreign_keys(table):
        if name in key.columns:
            because = f"{quote(key.name)}, which goes, refers to it"
            lock_referenced(g, key, Mode.ACCESS_EXCLUSIVE, because, is_named=False)
    for child, key in keys_on(g.schema, table, (name,)):
        if child.name == table.name:
            continue
        if not cascades:
            g.fail_if_sure(f"{quote(key.name)} of {child.name} refers to {quote(name)}")
        g.lock(child, Mode.ACCESS_EXCLUSIVE, because=f"its {quote(key.name)} goes with the column")
    for sequence in owned_sequences(g.schema, table.name, name):
        g.lock(sequence, Mode.ACCESS_EXCLUSIVE, because=f"it belongs to {quote(name)}")
    _unlink_readers(a, table, name, cascades=cascades)


def _unlink_readers(a: Altering, table: Relation, name: str, *, cascades: bool) -> None:
    """What reads the column goes too, by CASCADE: policies, views, and what reads those."""
    g = a.gathering
    for other, what in hooked(g.schema, table.name, name):
        if not cascades:
            g.fail_if_sure(f"{what} of {other.name} names {quote(name)}")
        g.lock(other, Mode.ACCESS_EXCLUSIVE, because=f"{what}, which goes, names {quote(name)}")
    for trigger in table.triggers_on(name) if not cascades else ():
        g.fail_if_sure(f"the trigger {quote(trigger)} of {table.name} names {quote(name)}")
    for policy in policies_using(table, name) if not cascades else ():
        g.fail_if_sure(f"the policy {quote(policy)} of {table.name} names {quote(name)}")
    for view in g.schema.readers(table.name):
        if uses_column(view, table, name):
            if not cascades:
                g.fail_if_sure(f"{view.name} reads {quote(name)}")
            for one in (view, *readers(g.schema, view.name)):
                g.lock(one, Mode.ACCESS_EXCLUSIVE, because="it goes with the column")


def set_not_null(a: Altering, command: Tree) -> None:
    """SET NOT NULL: a scan, unless a valid CHECK proves it."""
    forbid_null(a, command.text("name"))


def drop_not_null(a: Altering, command: Tree) -> None:
    """DROP NOT NULL: not for a column of the primary key, nor where the parent forbids it."""
    existing_column(a, command)
    g, name = a.gathering, command.text("name")
    for one in a.relation.constraints.values():
        if one.kind is ConstraintKind.PRIMARY_KEY and name in one.columns:
            g.fail_if_sure(f"{quote(name)} is part of the primary key")
    column = a.relation.columns.get(name)
    if column is not None and column.is_identity:
        g.fail_if_sure(f"{quote(name)} is an identity column")
    parents = [a.relation.partition_of] if a.relation.partition_of else []
    parents += a.relation.inherits if g.since(18) else ()
    for parent in (g.schema.relations.get(one) for one in parents):
        above = parent.columns.get(name) if parent else None
        if above is not None and not above.is_nullable:
            g.fail_if_sure(f"{parent.name if parent else ''} has it NOT NULL")


def change_default(a: Altering, command: Tree) -> None:
    """SET and DROP DEFAULT: not for a column that makes its values itself."""
    existing_column(a, command)
    column = a.relation.columns.get(command.text("name"))
    if column is not None and a.relation.kind is not Kind.VIEW and (column.is_identity or column.generated):
        a.gathering.fail_if_sure(f"{quote(column.name)} makes its values itself")
    if column is None and command.get("def_") is None and command.text("name") in a.adds:
        a.gathering.fail(f"{quote(command.text('name'))} is not there yet: defaults are dropped first")


def existing_column(a: Altering, command: Tree) -> None:
    """Any command on a column that costs nothing: the column must be there."""
    if not a.has_column(command.text("name")) and not command.text("name").isdigit():
        a.gathering.fail_if_sure(f"there is no column {quote(command.text('name'))} in {a.relation.name}")


def add_identity(a: Altering, command: Tree) -> None:
    """ADD GENERATED AS IDENTITY costs nothing, but the column must be NOT NULL."""
    existing_column(a, command)
    column = a.relation.columns.get(command.text("name"))
    is_made_so = command.text("name") in named(a.commands, "AT_SetNotNull")
    if column is not None and column.is_nullable and not is_made_so:
        a.gathering.fail_if_sure(f"{quote(column.name)} can be null: make it NOT NULL first")


def change_identity(a: Altering, command: Tree) -> None:
    """SET GENERATED, RESTART, DROP IDENTITY: the sequence behind the column is locked too."""
    existing_column(a, command)
    mode = Mode.ACCESS_EXCLUSIVE if command.enum("subtype") == "AT_DropIdentity" else Mode.SHARE_ROW_EXCLUSIVE
    for sequence in owned_sequences(a.gathering.schema, a.relation.name, command.text("name")):
        a.gathering.lock(sequence, mode, because=f"it gives {quote(command.text('name'))} its values")


def set_expression(a: Altering, command: Tree) -> None:
    """SET EXPRESSION computes every stored value anew."""
    if not a.gathering.since(17):
        a.gathering.fail("SET EXPRESSION needs PostgreSQL 17")
    existing_column(a, command)
    for table in a.stored:
        column = table.columns.get(command.text("name"))
        if column is None:
            a.gathering.work(table, maybe={Work.REWRITE})
        elif column.generated != "virtual":
            a.gathering.work(table, Work.REWRITE)


def is_computed_from(table: Relation, name: str) -> bool:
    """Tell whether a generated column of a table is computed from this one."""
    for one in table.columns.values():
        tree = expression(one.default) if one.generated and one.name != name and one.default else None
        for node in tree.walk() if tree else ():
            if node.tag == "ColumnRef" and node.each("fields")[-1].text("sval") == name:
                return True
    return False

"""Commands of ALTER TABLE on constraints: added, validated, altered, dropped."""

from __future__ import annotations

from collections.abc import Iterable

from checks.locks.altering import Altering
from checks.locks.gathering import Gathering
from checks.locks.nulls import forbid_null, proves_not_null
from checks.locks.peers import below, family, keys_on, lock_referenced, referenced_columns
from checks.locks.values import Mode, Work
from checks.model import Constraint, ConstraintKind, Kind, Relation
from checks.names import quote
from checks.tree import Tree

_INDEXED = {"CONSTR_UNIQUE", "CONSTR_PRIMARY", "CONSTR_EXCLUSION"}


def mode_of_added(command: Tree, version: int) -> Mode:
    """Return the lock that ADD CONSTRAINT takes on its own table."""
    del version
    definition = command.get("def_")
    is_key = definition is not None and definition.enum("contype") == "CONSTR_FOREIGN"
    return Mode.SHARE_ROW_EXCLUSIVE if is_key else Mode.ACCESS_EXCLUSIVE


def add_constraint(a: Altering, command: Tree) -> None:
    """ADD CONSTRAINT (lint.md, section 4)."""
    definition, g = command.get("def_"), a.gathering
    if definition is None:
        return
    name, kind = definition.text("conname"), definition.enum("contype")
    if a.only and kind == "CONSTR_CHECK" and not definition.flag("is_no_inherit") and below(g.schema, a.relation):
        g.fail_if_sure("a CHECK of a parent must be one of the tables below it too: leave ONLY out")
    if name and name in a.relation.constraints and name not in a.drops:
        g.fail_if_there(f"{a.relation.name} has a constraint {quote(name)} already", by=a.relation)
    if not definition.flag("is_enforced") and kind in {"CONSTR_CHECK", "CONSTR_FOREIGN"} and not g.since(18):
        g.fail("NOT ENFORCED needs PostgreSQL 18")
    if kind == "CONSTR_CHECK":
        _add_check(a, definition)
    elif kind == "CONSTR_NOTNULL":
        _add_not_null(a, definition)
    elif kind == "CONSTR_FOREIGN":
        add_foreign_key(a, definition, tuple(one.text("sval") for one in definition.each("fk_attrs")))
    elif kind in _INDEXED:
        _add_indexed(a, definition, is_primary=kind == "CONSTR_PRIMARY")


def _add_check(a: Altering, definition: Tree) -> None:
    if definition.flag("skip_validation") or not definition.flag("is_enforced"):
        return
    for table in (a.relation,) if definition.flag("is_no_inherit") else a.tables:
        a.gathering.work(table, Work.SCAN)
    a.gathering.may_fail(f"fails when a row of {a.relation.name} does not hold to it")


def _add_not_null(a: Altering, definition: Tree) -> None:
    if not a.gathering.since(18):
        a.gathering.fail("a NOT NULL constraint of the table needs PostgreSQL 18")
    elif not definition.flag("skip_validation"):
        for key in definition.each("keys"):
            forbid_null(a, key.text("sval"))


def _add_indexed(a: Altering, definition: Tree, *, is_primary: bool) -> None:
    g = a.gathering
    if is_primary and any(
        one.kind is ConstraintKind.PRIMARY_KEY and one.name not in a.drops for one in a.relation.constraints.values()
    ):
        g.fail_if_sure(f"{a.relation.name} has a primary key already")
    if definition.flag("nulls_not_distinct") and not g.since(15):
        g.fail("NULLS NOT DISTINCT needs PostgreSQL 15")
    keys = [one.text("sval") for one in definition.each("keys")]
    if definition.text("indexname"):
        keys = _take_index(a, definition.text("indexname"), is_primary=is_primary)
    else:
        for table in family(g.schema, a.relation) if a.relation.kind is Kind.PARTITIONED else (a.relation,):
            g.lock(table, Mode.SHARE, because=f"it is a partition of {a.relation.name}")
            g.work(table, Work.BUILD)
        g.may_fail(f"fails when rows of {a.relation.name} share a key")
        require_partition_key(a.gathering, a.relation, keys)
    _require_keys(a, keys, is_primary=is_primary)


def _take_index(a: Altering, named: str, *, is_primary: bool) -> list[str]:
    """USING INDEX: nothing is built. Return the columns of the index."""
    g = a.gathering
    index = a.relation.indexes.get(named)
    if a.relation.kind is Kind.PARTITIONED:
        g.fail("USING INDEX is not for partitioned tables")
    if index is None and g.knows(a.relation):
        g.fail_if_sure(f"{a.relation.name} has no index {quote(named)}")
    g.lock_index(a.relation, named, Mode.SHARE_UPDATE_EXCLUSIVE)
    if index is None and is_primary:
        g.work(a.relation, maybe={Work.SCAN})
    return [one for one in index.columns if one] if index else []


def _require_keys(a: Altering, keys: list[str], *, is_primary: bool) -> None:
    """The columns of a key must be there; those of a primary key become NOT NULL."""
    g = a.gathering
    for name in keys:
        if name not in a.adds and g.knows(a.relation) and name not in a.relation.columns:
            g.fail_if_sure(f"there is no column {quote(name)} in {a.relation.name}")
        for table in a.stored if is_primary else ():
            column = table.columns.get(name)
            if column is not None and column.is_nullable and not proves_not_null(table, name):
                g.work(table, Work.SCAN)
                g.may_fail(f"fails when {quote(name)} of {table.name} is null anywhere")
            elif column is None and name not in a.adds:
                g.work(table, maybe={Work.SCAN})


def require_partition_key(g: Gathering, relation: Relation, keys: Iterable[str]) -> None:
    """Say that a unique index of a partitioned table is refused without the columns that divide it."""
    for one in family(g.schema, relation) if relation.kind is Kind.PARTITIONED else ():
        if missing := sorted(one.partition_columns - set(keys)):
            g.fail_if_sure(f"{one.name} is divided by {', '.join(map(quote, missing))}, which must be part of the key")


def add_foreign_key(a: Altering, definition: Tree, columns: tuple[str, ...], *, is_checked: bool = True) -> None:
    """A new foreign key: SHARE ROW EXCLUSIVE on both tables, and a check of the rows that are there.

    Nothing is checked where it comes with a new column that holds nothing but nulls.
    """
    g = a.gathering
    parent = g.find(definition.relation("pktable"), what="table")
    for name in columns:
        if not a.has_column(name):
            g.fail_if_sure(f"there is no column {quote(name)} in {a.relation.name}")
    if a.relation.kind is Kind.PARTITIONED:
        if definition.flag("skip_validation") and not g.since(18):
            g.fail("a foreign key of a partitioned table cannot be NOT VALID before PostgreSQL 18")
        if a.only:
            g.fail("a foreign key of a partitioned table is one of its partitions too: leave ONLY out")
    if parent is None:
        return
    for one in family(g.schema, parent) if parent.kind is Kind.PARTITIONED else (parent,):
        g.lock(one, Mode.SHARE_ROW_EXCLUSIVE, because=f"a new foreign key of {a.relation.name} refers to it")
    require_key(a, parent, tuple(one.text("sval") for one in definition.each("pk_attrs")))
    if definition.flag("skip_validation") or not definition.flag("is_enforced") or not is_checked:
        return
    tables = family(g.schema, a.relation) if a.relation.kind is Kind.PARTITIONED else (a.relation,)
    for table in tables:
        g.work(table, Work.KEY_CHECK)
    g.may_fail(f"fails when {a.relation.name} refers to a row that {parent.name} does not have")


def require_key(a: Altering, parent: Relation, columns: tuple[str, ...]) -> None:
    """Say that a foreign key is refused when what it refers to is known not to be unique."""
    g = a.gathering
    if not g.knows(parent) or parent.name == a.relation.name:
        return
    if not columns:
        if not any(one.kind is ConstraintKind.PRIMARY_KEY for one in parent.constraints.values()):
            g.fail_if_sure(f"{parent.name} has no primary key to refer to")
        return
    wanted = sorted(columns)
    keys = [one.columns for one in parent.constraints.values() if one.kind in _UNIQUE]
    keys += [one.columns for one in parent.indexes.values() if one.is_unique and not one.predicate]
    if not any(sorted(one) == wanted for one in keys):
        g.fail_if_sure(f"nothing says that {', '.join(map(quote, columns))} of {parent.name} is unique")


_UNIQUE = {ConstraintKind.PRIMARY_KEY, ConstraintKind.UNIQUE}


def validate_constraint(a: Altering, command: Tree) -> None:
    """VALIDATE CONSTRAINT: reads and writes go on, the rows are read."""
    g, name = a.gathering, command.text("name")
    found = a.relation.constraints.get(name)
    if found is None:
        if g.knows(a.relation):
            g.fail_if_sure(f"{a.relation.name} has no constraint {quote(name)}")
        g.miss(f"the table that {quote(name)} refers to, if it is a foreign key")
        g.work(a.relation, maybe={Work.SCAN, Work.KEY_CHECK})
    elif not found.is_valid and found.kind is ConstraintKind.FOREIGN_KEY:
        lock_referenced(g, found, Mode.ROW_SHARE, f"{quote(name)} refers to it")
        for table in family(g.schema, a.relation) if a.relation.kind is Kind.PARTITIONED else (a.relation,):
            g.work(table, Work.KEY_CHECK)
        g.may_fail(f"fails when a row of {a.relation.name} does not hold to it")
    elif not found.is_valid:
        for table in a.tables:
            inherited = table.constraints.get(name)
            if inherited is None or not inherited.is_valid:
                g.work(table, Work.SCAN)
        g.may_fail(f"fails when a row of {a.relation.name} does not hold to it")


def drop_constraint(a: Altering, command: Tree) -> None:
    """DROP CONSTRAINT: that of a foreign key locks the table it refers to as well."""
    g, name = a.gathering, command.text("name")
    cascades = command.enum("behavior") == "DROP_CASCADE"
    found = a.relation.constraints.get(name)
    if found is None:
        if g.knows(a.relation) and g.is_sure:
            if not command.flag("missing_ok"):
                g.fail(f"{a.relation.name} has no constraint {quote(name)}")
        else:
            g.miss(f"the table that {quote(name)} refers to, if it is a foreign key")
        return
    if (found.is_inherited and a.relation.partition_of is not None) or _is_part(a.relation, found):
        g.fail_if_sure(f"{quote(name)} comes from the parent of {a.relation.name}")
    for table in a.tables:
        unlink_constraint(a, table, table.constraints.get(name, found), cascades=cascades)


def _is_part(table: Relation, found: Constraint) -> bool:
    index = table.indexes.get(found.index)
    return index is not None and index.parent is not None


def unlink_constraint(a: Altering, table: Relation, found: Constraint, *, cascades: bool) -> None:
    """Lock the other end of a constraint that goes."""
    g = a.gathering
    if found.kind is ConstraintKind.FOREIGN_KEY:
        lock_referenced(g, found, Mode.ACCESS_EXCLUSIVE, f"{quote(found.name)}, which goes, refers to it")
    if found.kind not in _UNIQUE:
        return
    for child, key in keys_on(g.schema, table):
        if sorted(referenced_columns(table, key)) != sorted(found.columns) or child.name == table.name:
            continue
        if not cascades:
            g.fail_if_sure(f"{quote(key.name)} of {child.name} needs it")
        for one in family(g.schema, child) if child.kind is Kind.PARTITIONED else (child,):
            g.lock(one, Mode.ACCESS_EXCLUSIVE, because=f"its {quote(key.name)} goes with the constraint")


def alter_constraint(a: Altering, command: Tree) -> None:
    """ALTER CONSTRAINT: DEFERRABLE costs nothing; ENFORCED (18) checks the rows."""
    g, definition = a.gathering, command.get("def_")
    name = definition.text("conname") if definition else ""
    found = a.relation.constraints.get(name)
    if found is None and g.knows(a.relation):
        g.fail_if_sure(f"{a.relation.name} has no constraint {quote(name)}")
    if definition is not None and definition.flag("alterEnforceability"):
        if not g.since(18):
            g.fail("ENFORCED needs PostgreSQL 18")
        if found is not None:
            lock_referenced(g, found, Mode.ACCESS_EXCLUSIVE, f"{quote(name)} refers to it")
            if definition.flag("is_enforced") and not found.is_enforced:
                g.work(a.relation, Work.KEY_CHECK)

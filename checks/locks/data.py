"""Statements on rows: SELECT, INSERT, UPDATE, DELETE, MERGE, COPY, and what foreign keys and defaults add to them."""

from __future__ import annotations

from collections.abc import Iterable

from checks.locks.gathering import Gathering
from checks.locks.peers import family, foreign_keys, keys_on, lock_referenced, owned_sequences, referenced_columns
from checks.locks.queries import lock_query, lock_use, uses_in
from checks.locks.sql import expression
from checks.locks.triggers import Event, deleted, doubt_triggers, inserted, updated
from checks.locks.values import Mode
from checks.locks.volatility import sequences_in
from checks.model import Constraint, Kind, Relation
from checks.names import quote
from checks.tree import Tree

# What a foreign key does to the rows that refer to one which goes or changes: nothing.
_KEEPS = frozenset({"", "NO ACTION", "RESTRICT"})


def query(g: Gathering, tree: Tree) -> None:
    """SELECT, INSERT, UPDATE, DELETE, MERGE, with all queries inside."""
    lock_query(g, tree)
    for use in uses_in(tree):
        target = g.schema.find(use.range_var.range_name()) if use.writer else None
        if use.writer is not None and target is not None:
            _written(g, target, use.writer)


def _written(g: Gathering, target: Relation, writer: Tree) -> None:
    doubt_triggers(g, target, _events(writer))
    for table in family(g.schema, target):
        for rule in sorted(table.rules):
            g.doubt(f"what the rule {quote(rule)} of {table.name} does")
    select = writer.get("selectStmt")
    makes_rows = writer.tag == "InsertStmt" and (select is None or select.each("valuesLists") != ())
    with g.where_rows_decide(when=not makes_rows):
        _follow_rows(g, target, writer)


def _events(writer: Tree) -> list[Event]:
    """Return what happens to rows of the target; for MERGE, by each of its WHEN clauses."""
    match writer.tag:
        case "InsertStmt":
            conflict = writer.get("onConflictClause")
            return [inserted(), *([updated(_names(_targets(writer)))] if conflict and _targets(writer) else [])]
        case "UpdateStmt":
            return [updated(_names(writer.each("targetList")))]
        case "DeleteStmt":
            return [deleted()]
        case _:
            return [event for one in writer.each("mergeWhenClauses") for event in _merged(one)]


def _merged(clause: Tree) -> list[Event]:
    match clause.enum("commandType"):
        case "CMD_INSERT":
            return [inserted()]
        case "CMD_DELETE":
            return [deleted()]
        case "CMD_UPDATE":
            return [updated(_names(clause.each("targetList")))]
        case _:
            return []  # DO NOTHING


def _names(targets: Iterable[Tree]) -> set[str]:
    return {one.text("name") for one in targets}


def _follow_rows(g: Gathering, target: Relation, writer: Tree) -> None:
    match writer.tag:
        case "InsertStmt":
            given = _given(writer, target)
            _insert(g, target, given)
            with g.where_rows_decide():
                _update(g, target, _names(_targets(writer)))
        case "UpdateStmt":
            _update(g, target, _names(writer.each("targetList")))
        case "DeleteStmt":
            _delete(g, target)
        case _:
            _merge(g, target, writer)


def _targets(insert: Tree) -> tuple[Tree, ...]:
    """Return what ON CONFLICT DO UPDATE sets."""
    conflict = insert.get("onConflictClause")
    return conflict.each("targetList") if conflict else ()


def _given(insert: Tree, target: Relation) -> set[str]:
    """Return the columns that get a value that is written, and not NULL in every row."""
    names = [one.text("name") for one in insert.each("cols")] or list(target.columns)
    select = insert.get("selectStmt")
    if select is None:
        return set()
    rows = [one.items() for one in select.each("valuesLists")]
    if not rows:
        columns = select.each("targetList")
        has_star = any(one.tag == "A_Star" for column in columns for one in column.walk())
        return set(names) if has_star or not columns else set(names[: len(columns)])
    return {
        name
        for place, name in enumerate(names)
        if any(place < len(row) and not _is_null_or_default(row[place]) for row in rows)
    }


def _is_null_or_default(value: Tree) -> bool:
    return value.tag == "SetToDefault" or (value.tag == "A_Const" and value.flag("isnull"))


def _insert(g: Gathering, target: Relation, given: set[str]) -> None:
    for key in foreign_keys(target):
        if key.is_enforced and given >= set(key.columns):
            _look_up(g, key)
    for column in target.columns.values():
        if column.name in given:
            continue
        for name in sequences_in(expression(column.default)) if column.default else ():
            if (sequence := g.schema.find(name)) is not None:
                g.lock(sequence, Mode.ROW_EXCLUSIVE, because=f"{quote(column.name)} takes its value from it")
        for sequence in owned_sequences(g.schema, target.name, column.name) if column.is_identity else ():
            g.lock(sequence, Mode.ROW_EXCLUSIVE, because=f"{quote(column.name)} takes its value from it")


def _look_up(g: Gathering, key: Constraint) -> None:
    lock_referenced(g, key, Mode.ROW_SHARE, f"{quote(key.name)} looks the rows up")


def _update(g: Gathering, target: Relation, changed: set[str]) -> None:
    for table in family(g.schema, target):
        for key in foreign_keys(table):
            if key.is_enforced and changed & set(key.columns):
                _look_up(g, key)
        for child, key in keys_on(g.schema, table):
            if key.is_enforced and changed & set(referenced_columns(table, key)):
                _lock_child(g, child, key, key.on_update)
                if key.on_update not in _KEEPS:
                    doubt_triggers(g, child, [updated(key.columns)])


def _delete(g: Gathering, target: Relation) -> None:
    seen = {target.name}
    waiting = list(family(g.schema, target))
    while waiting:
        table = waiting.pop(0)
        for child, key in keys_on(g.schema, table):
            if not key.is_enforced:
                continue
            if key.on_delete in _KEEPS:
                g.may_fail(f"fails when a row of {child.name} refers to one that goes")
            _lock_child(g, child, key, key.on_delete)
            if key.on_delete == "CASCADE" and child.name not in seen:
                seen.add(child.name)
                waiting.append(child)
                doubt_triggers(g, child, [deleted()])
            elif key.on_delete not in {*_KEEPS, "CASCADE"}:
                doubt_triggers(g, child, [updated(key.columns)])


def _lock_child(g: Gathering, child: Relation, key: Constraint, action: str) -> None:
    mode = Mode.ROW_SHARE if action in _KEEPS else Mode.ROW_EXCLUSIVE
    for one in family(g.schema, child) if child.kind is Kind.PARTITIONED else (child,):
        g.lock(one, mode, because=f"its {quote(key.name)} refers to the rows")


def _merge(g: Gathering, target: Relation, writer: Tree) -> None:
    if not g.since(15):
        g.fail("MERGE needs PostgreSQL 15")
    for clause in writer.each("mergeWhenClauses"):
        match clause.enum("commandType"):
            case "CMD_DELETE":
                _delete(g, target)
            case "CMD_UPDATE":
                _update(g, target, {one.text("name") for one in clause.each("targetList")})
            case "CMD_INSERT":
                given = {one.text("name") for one in clause.each("targetList")} or set(target.columns)
                _insert(g, target, given)


def copy(g: Gathering, tree: Tree) -> None:
    """COPY: FROM writes the table, TO reads it or a query."""
    if (select := tree.get("query")) is not None:
        query(g, select)
        return
    relation = g.find(tree.relation(), what="table")
    if relation is None:
        return
    if relation.kind in {Kind.VIEW, Kind.MATERIALIZED} and not (tree.flag("is_from") and relation.triggers):
        g.fail(f"{relation.name} is a {relation.kind}: COPY takes a query in brackets")
    if not tree.flag("is_from"):
        g.lock(relation, Mode.ACCESS_SHARE)
        return
    lock_use(g, relation, Mode.ROW_EXCLUSIVE)
    doubt_triggers(g, relation, [inserted()])
    names = {one.text("sval") for one in tree.each("attlist")} or set(relation.columns)
    with g.where_rows_decide():
        _insert(g, relation, names)


def inner_query(g: Gathering, tree: Tree) -> None:
    """EXPLAIN, PREPARE, DECLARE CURSOR: what their query locks. Only EXPLAIN ANALYZE runs it."""
    if (inner := tree.get("query")) is None:
        return
    if tree.tag == "ExplainStmt" and tree.switched_on("analyze"):
        query(g, inner)
    elif inner.tag in {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}:
        lock_query(g, inner)
    else:
        g.doubt(f"{tree.tag} of a {inner.tag}")


def lock(g: Gathering, tree: Tree) -> None:
    """LOCK TABLE: the mode that is written, on the table, what is below it, and what a view is made of."""
    mode = Mode(tree.number("mode"))
    for one in tree.each("relations"):
        relation = g.find(one.range_name(), what="table")
        if relation is None:
            continue
        if relation.kind is Kind.VIEW:
            _lock_view(g, relation, mode)
            continue
        tables = family(g.schema, relation) if one.flag("inh") else (relation,)
        for table in tables:
            g.lock(table, mode, because="" if table is relation else f"it is below {relation.name}")


def _lock_view(g: Gathering, view: Relation, mode: Mode) -> None:
    waiting = [view]
    while waiting:
        one = waiting.pop(0)
        g.lock(one, mode, because="" if one is view else f"{view.name} reads it")
        if one.kind is Kind.VIEW:
            waiting.extend(base for name in one.reads if (base := g.schema.relations.get(name)) is not None)
        else:
            for table in list(family(g.schema, one))[1:]:
                g.lock(table, mode, because=f"it is below {one.name}")

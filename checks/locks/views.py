"""Views, materialized views and sequences."""

from __future__ import annotations

from checks.locks.gathering import Gathering
from checks.locks.queries import lock_query
from checks.locks.sql import query
from checks.locks.values import Mode, Work
from checks.model import Kind, Relation
from checks.model.queries import aliased, columns_of
from checks.names import qualified, quote
from checks.tree import Tree


def create_view(g: Gathering, tree: Tree) -> None:
    """CREATE VIEW: what it reads is opened; a view that it replaces is locked as if it were dropped."""
    if (select := tree.get("query")) is not None:
        lock_query(g, select, plans=False)
    target = tree.get("view")
    if target is None or target.text("relpersistence") == "t":
        return
    old = g.schema.find(target.range_name())
    if old is None or old.name != g.schema.place(target.range_name()):
        return
    if old.kind is not Kind.VIEW:
        g.fail_if_sure(f"{old.name} is a {old.kind}")
    elif (select := tree.get("query")) is not None:
        _keep_columns(g, old, select, tree)
    g.lock(old, Mode.ACCESS_EXCLUSIVE)


def _keep_columns(g: Gathering, old: Relation, select: Tree, tree: Tree) -> None:
    """A view that is replaced keeps its columns: names and order, and more only at the end."""
    found = columns_of(select, g.schema)
    names = list(aliased(found, tree.each("aliases"))) if found else []
    if names and old.columns and names[: len(old.columns)] != list(old.columns):
        g.fail_if_sure(f"the columns of {old.name} are {', '.join(map(quote, old.columns))}, and must stay so")


def refresh(g: Gathering, tree: Tree) -> None:
    """REFRESH MATERIALIZED VIEW: nobody reads it meanwhile, unless CONCURRENTLY."""
    view = g.find(tree.relation(), what="materialized view")
    if view is None:
        return
    if g.knows(view) and view.kind is not Kind.MATERIALIZED:
        g.fail_if_sure(f"{view.name} is not a materialized view")
    concurrently = tree.flag("concurrent")
    g.lock(view, Mode.EXCLUSIVE if concurrently else Mode.ACCESS_EXCLUSIVE)
    if not concurrently:
        g.lock(view, Mode.ACCESS_EXCLUSIVE, Work.REWRITE)
    elif g.knows(view) and not any(one.is_unique and not one.predicate for one in view.indexes.values()):
        g.fail_if_sure(f"{view.name} has no unique index")
    if tree.flag("skipData"):
        return
    select = query(view.query) if view.query else None
    if select is not None:
        lock_query(g, select, because=f"{view.name} reads it")
        return
    for name in view.reads:
        g.lock(name, Mode.ACCESS_SHARE, because=f"{view.name} reads it")
    if not g.knows(view):
        g.miss(f"what {view.name} reads")


def create_sequence(g: Gathering, tree: Tree) -> None:
    """CREATE SEQUENCE: the table it is to belong to."""
    _owned_by(g, tree)


def alter_sequence(g: Gathering, tree: Tree) -> None:
    """ALTER SEQUENCE: who takes a value waits."""
    sequence = g.find(tree.relation("sequence"), missing_ok=tree.flag("missing_ok"), what="sequence")
    if sequence is not None:
        g.lock(sequence, Mode.SHARE_ROW_EXCLUSIVE)
        table = g.schema.relations.get(sequence.owner[0]) if sequence.owner else None
        column = table.columns.get(sequence.owner[1]) if table and sequence.owner else None
        if tree.option("owned_by") is not None and column is not None and column.is_identity:
            g.fail_if_sure(f"{sequence.name} belongs to an identity column for good")
    _owned_by(g, tree)


def _owned_by(g: Gathering, tree: Tree) -> None:
    option = tree.option("owned_by")
    argument = option.get("arg") if option else None
    names = [one.text("sval") for one in argument.items()] if argument else []
    if len(names) > 1:
        table: Relation | None = g.find(qualified(*names[:-1]), what="table")
        if table is not None:
            g.lock(table, Mode.ACCESS_SHARE)

"""Which relations a query reads, locks for itself, or writes: also through views, and down to partitions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.locks.gathering import Gathering
from checks.locks.peers import family
from checks.locks.sql import query
from checks.locks.values import Mode
from checks.locks.volatility import FIXED, VOLATILE, sequences_in
from checks.model import Kind, Relation
from checks.names import qualified
from checks.reading.functions import is_harmless
from checks.tree import Tree

_WRITES = {"InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt"}


@dataclass(frozen=True, slots=True)
class Use:
    """One place where a query names a relation. `writer` is the statement that writes it, or None."""

    range_var: Tree
    mode: Mode
    writer: Tree | None = None


def lock_query(g: Gathering, tree: Tree, *, because: str = "", plans: bool = True) -> None:
    """Add what the analysis and the planning of a query lock. Without `plans` it is only analysed, as for a view."""
    for use in uses_in(tree):
        relation = g.find(use.range_var.range_name(), what="table or view")
        if relation is not None:
            lock_use(g, relation, use.mode, because=because, goes_down=plans and use.range_var.flag("inh"), plans=plans)
    for name in sequences_in(tree) if plans else ():
        if (sequence := g.schema.find(name)) is not None:
            g.lock(sequence, Mode.ROW_EXCLUSIVE, because=because)
    if plans:
        for call in unknown_calls(tree):
            g.doubt(f"what {call}() does")


def lock_use(
    g: Gathering, relation: Relation, mode: Mode, *, because: str = "", goes_down: bool = True, plans: bool = True
) -> None:
    """Lock one relation that a query names, what is below it, and what a view is made of, through all its views."""
    waiting, seen = [(relation, mode, because)], {(relation.name, mode)}
    while waiting:
        one, its_mode, reason = waiting.pop()
        g.lock(one, its_mode, because=reason)
        if one.kind is Kind.VIEW and plans:
            for base, base_mode in _made_of(g, one, its_mode):
                if (base.name, base_mode) not in seen:
                    seen.add((base.name, base_mode))
                    waiting.append((base, base_mode, f"{one.name} reads it"))
        elif goes_down or one is not relation:
            with g.where_rows_decide(when=one.kind is Kind.PARTITIONED):  # a partition without any is left out
                for below in list(family(g.schema, one))[1:]:
                    g.lock(below, its_mode, because=f"it is below {one.name}")


def _made_of(g: Gathering, view: Relation, mode: Mode) -> Iterator[tuple[Relation, Mode]]:
    """Yield what a view selects from, with the lock that a use of the view needs there."""
    tree = query(view.query) if view.query and mode is not Mode.ACCESS_SHARE else None
    if tree is None:
        for name in sorted(view.reads):
            yield g.schema.relations.get(name, Relation(name)), Mode.ACCESS_SHARE
        return
    # Rows that are changed or locked through a view are rows of the table that it selects from.
    direct = {id(one.node) for one in tree.each("fromClause")}
    for use in uses_in(tree):
        base = g.schema.find(use.range_var.range_name())
        if base is not None:
            is_target = mode is Mode.ROW_SHARE or id(use.range_var.node) in direct
            yield base, max(use.mode, mode) if is_target else use.mode


def uses_in(tree: Tree) -> Iterator[Use]:
    """Yield every relation that a query names, with the lock it needs. Names of WITH queries are none."""
    nodes = list(tree.walk())
    written = {id(target.node): one for one in nodes if one.tag in _WRITES and (target := one.get("relation"))}
    locked, named_only = _locked(nodes)
    into = {id(one.node) for node in nodes if node.tag == "IntoClause" and (one := node.get("rel"))}
    for node, shadowed in _in_their_scope(tree):
        if node.tag != "RangeVar" or id(node.node) in named_only | into:
            continue
        is_bare = not node.text("schemaname")
        if is_bare and node.text("relname") in shadowed and id(node.node) not in written:
            continue
        writer = written.get(id(node.node))
        mode = Mode.ROW_EXCLUSIVE if writer else Mode.ROW_SHARE if id(node.node) in locked else Mode.ACCESS_SHARE
        yield Use(node, mode, writer)


def _in_their_scope(tree: Tree) -> Iterator[tuple[Tree, frozenset[str]]]:
    """Yield every node with the names that WITH queries have taken there. Each is visited once: hostile SQL nests deep.

    A WITH query sees those before it in its list; with RECURSIVE all of them, itself too.
    """
    waiting = [(tree, frozenset[str]())]
    while waiting:
        node, shadowed = waiting.pop()
        if not isinstance(node.node, tuple):
            yield node, shadowed
        clause = node.get("withClause")
        if clause is not None:
            queries = clause.each("ctes")
            names = [one.text("ctename") for one in queries]
            everywhere = shadowed.union(names)
            for number, one in enumerate(queries):
                waiting.append((one, everywhere if clause.flag("recursive") else shadowed.union(names[:number])))
            shadowed = everywhere
        waiting.extend((one, shadowed) for one in node.below() if one.tag != "WithClause")


def _locked(nodes: list[Tree]) -> tuple[set[int], set[int]]:
    """Return the places that FOR UPDATE and its kind mean, and those where it names them."""
    locked: set[int] = set()
    named_only: set[int] = set()
    for select in (one for one in nodes if one.tag == "SelectStmt"):
        clauses = select.each("lockingClause")
        if not clauses:
            continue  # the walk below would make nested queries quadratic
        sources = [inner for one in select.each("fromClause") for inner in one.walk() if inner.tag == "RangeVar"]
        for clause in clauses:
            wanted = clause.each("lockedRels")
            named_only |= {id(one.node) for one in wanted}
            names = {one.text("relname") for one in wanted}
            locked |= {id(one.node) for one in sources if not wanted or _called(one) in names}
    return locked, named_only


def _called(range_var: Tree) -> str:
    alias = range_var.get("alias")
    return alias.text("aliasname") if alias else range_var.text("relname")


def unknown_calls(tree: Tree) -> tuple[str, ...]:
    """Return the functions that a query calls and that are not known to touch no relation, as SQL."""
    found: dict[str, None] = {}
    for node in tree.walk():
        if node.tag == "FuncCall":
            parts = tuple(part.text("sval") for part in node.each("funcname"))
            is_system = parts[:-1] in {(), ("pg_catalog",)} and parts[-1] in FIXED | VOLATILE
            if not is_system and not is_harmless(parts):
                found[qualified(*parts)] = None
    return tuple(found)

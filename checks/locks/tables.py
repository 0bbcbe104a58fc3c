"""Tables as a whole: made, dropped, emptied, renamed, moved, described, cleaned."""

from __future__ import annotations

from checks.locks.altering import Altering
from checks.locks.constraints import add_foreign_key
from checks.locks.gathering import Gathering
from checks.locks.names import holder
from checks.locks.partitions import lock_default, lock_keys_to
from checks.locks.peers import family, foreign_keys, lock_referenced
from checks.locks.queries import lock_query
from checks.locks.storage import require_clusterable
from checks.locks.taken import name_of_new
from checks.locks.values import Mode, Work
from checks.model import Kind, Name, Relation
from checks.model.types import data_type
from checks.names import quote
from checks.tree import Tree

_AE = Mode.ACCESS_EXCLUSIVE


def create_table(g: Gathering, tree: Tree) -> None:
    """CREATE TABLE locks nothing of its own, but the tables it refers to, copies or is a part of."""
    target = tree.get("relation")
    if target is None:
        return
    new_name = name_of_new(g, target)
    if new_name is None or (tree.flag("if_not_exists") and holder(g, new_name) is not None):
        return
    new = Relation(new_name)
    bound = tree.get("partbound")
    for one in tree.each("inhRelations"):
        _open_parent(g, one, bound)
    altering = Altering(g, new, (new,), (), _AE)
    for element in tree.each("tableElts"):
        _open_element(g, altering, element, own=target.range_name())
    if (of_type := tree.get("ofTypename")) is not None:
        kind = data_type(of_type, g.schema)
        found = g.schema.relations.get(Name(kind.schema, kind.name))
        if found is not None:
            g.lock(found, Mode.ACCESS_SHARE)


def _open_parent(g: Gathering, named: Tree, bound: Tree | None) -> None:
    parent = g.find(named.range_name(), what="table")
    if parent is not None and bound is not None:
        _make_partition(g, parent, bound)
    elif parent is not None:
        g.lock(parent, Mode.SHARE_UPDATE_EXCLUSIVE)


def create_foreign_table(g: Gathering, tree: Tree) -> None:
    """CREATE FOREIGN TABLE: as CREATE TABLE, which is inside it."""
    if (base := tree.get("base")) is not None:
        create_table(g, base)


def _open_element(g: Gathering, altering: Altering, element: Tree, *, own: str) -> None:
    """What is copied by LIKE, and what foreign keys refer to; one to the new table itself locks nobody."""
    source = g.find(element.relation(), what="table") if element.tag == "TableLikeClause" else None
    if source is not None:
        g.lock(source, Mode.ACCESS_SHARE)
    for part in (element, *element.each("constraints")):
        is_key = part.tag == "Constraint" and part.enum("contype") == "CONSTR_FOREIGN"
        if is_key and (part.relation("pktable") != own or g.schema.find(own) is not None):
            add_foreign_key(altering, part, ())


def _make_partition(g: Gathering, parent: Relation, bound: Tree) -> None:
    if g.knows(parent) and parent.kind is not Kind.PARTITIONED:
        g.fail_if_sure(f"{parent.name} is not partitioned")
    g.lock(parent, _AE)
    if not bound.flag("is_default"):
        lock_default(g, parent, scan=True)
    for key in foreign_keys(parent):
        lock_referenced(g, key, Mode.SHARE_ROW_EXCLUSIVE, f"{quote(key.name)} refers to it")
    lock_keys_to(g, parent)


def create_table_as(g: Gathering, tree: Tree) -> None:
    """CREATE TABLE AS and CREATE MATERIALIZED VIEW: what the query reads."""
    if (query := tree.get("query")) is None:
        return
    if query.tag == "ExecuteStmt":
        g.doubt("what the prepared statement reads")
        return
    into = tree.get("into")
    lock_query(g, query, plans=into is None or not into.flag("skipData"))


def cluster(g: Gathering, tree: Tree) -> None:
    """CLUSTER writes the table anew."""
    if not tree.relation():
        g.doubt("which tables were clustered before")
        return
    relation = g.find(tree.relation(), what="table")
    if relation is None:
        return
    if relation.kind is Kind.PARTITIONED and not g.since(15):
        g.fail("CLUSTER of a partitioned table needs PostgreSQL 15")
    for one in family(g.schema, relation) if relation.kind is Kind.PARTITIONED else (relation,):
        g.lock(one, _AE)
        g.work(one, Work.REWRITE)
    name = tree.text("indexname")
    require_clusterable(g, relation, name)


def vacuum(g: Gathering, tree: Tree) -> None:
    """VACUUM and ANALYZE stop neither reads nor writes; VACUUM FULL writes the table anew."""
    is_full = tree.switched_on("full")
    rels = [one.relation() for one in tree.each("rels")]
    # Of an index or a view it says that it skips it.
    found = [g.find(name, what="table") for name in rels if g.schema.find_index(name) is None]
    relations = (
        [one for one in found if one is not None]
        if rels
        else [
            one for one in g.schema.relations.values() if one.kind in {Kind.TABLE, Kind.PARTITIONED, Kind.MATERIALIZED}
        ]
    )
    if not rels and not g.is_sure:
        g.miss("which tables there are")
    for relation in relations:
        for one in family(g.schema, relation) if relation.kind is Kind.PARTITIONED else (relation,):
            g.lock(one, _AE if is_full else Mode.SHARE_UPDATE_EXCLUSIVE)
            if is_full:
                g.work(one, Work.REWRITE)

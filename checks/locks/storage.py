"""Commands of ALTER TABLE on how a table is kept: options, log, access method, tablespace, owner."""

from __future__ import annotations

from checks.locks.altering import Altering
from checks.locks.gathering import Gathering
from checks.locks.peers import foreign_keys, keys_to_whole, owned_sequences
from checks.locks.values import Mode, Work
from checks.model import Relation
from checks.names import quote
from checks.tree import Tree

# reloptions.c: the options that need more than SHARE UPDATE EXCLUSIVE.
_STRONG = frozenset(
    [
        "user_catalog_table",
        "security_barrier",
        "security_invoker",
        "check_option",
        "buffering",
        "fastupdate",
        "autosummarize",
        "pages_per_range",
        "gin_pending_list_limit",
    ]
)


def mode_of_options(command: Tree, version: int) -> Mode:
    """Return the lock that SET or RESET of storage options takes: that of the strongest."""
    del version
    options = command.get("def_")
    names = [one.text("defname").lower() for one in options.items()] if options else []
    return Mode.ACCESS_EXCLUSIVE if _STRONG & set(names) else Mode.SHARE_UPDATE_EXCLUSIVE


def cluster_on(a: Altering, command: Tree) -> None:
    """CLUSTER ON only remembers the index."""
    require_clusterable(a.gathering, a.relation, command.text("name"))


def rewrite(a: Altering, command: Tree) -> None:
    """A command that writes the table anew, whatever it was."""
    del command
    for table in a.stored:
        a.gathering.work(table, Work.REWRITE)


def set_logged(a: Altering, command: Tree) -> None:
    """SET LOGGED and UNLOGGED: a rewrite, unless it is so already."""
    wanted = command.enum("subtype") == "AT_SetLogged"
    if not a.gathering.knows(a.relation):
        a.gathering.work(a.relation, maybe={Work.REWRITE})
    elif a.relation.is_logged != wanted:
        _refuse_mixed(a, becomes_logged=wanted)
        a.gathering.work(a.relation, Work.REWRITE)
        if a.gathering.since(15):
            for one in owned_sequences(a.gathering.schema, a.relation.name):
                a.gathering.lock(one, Mode.ACCESS_EXCLUSIVE, because="it belongs to the table")


def _refuse_mixed(a: Altering, *, becomes_logged: bool) -> None:
    """A logged table cannot refer to an unlogged one."""
    g = a.gathering
    if becomes_logged:
        for key in foreign_keys(a.relation):
            other = g.schema.relations.get(key.references) if key.references else None
            if other is not None and not other.is_logged and other.name != a.relation.name:
                g.fail_if_sure(f"it refers to {other.name}, which is unlogged")
        return
    for child, _ in keys_to_whole(g.schema, a.relation):
        if child.is_logged and child.name != a.relation.name:
            g.fail_if_sure(f"{child.name}, which is logged, refers to it")


def set_access_method(a: Altering, command: Tree) -> None:
    """SET ACCESS METHOD: a rewrite, unless it has that one."""
    if not a.gathering.since(15):
        a.gathering.fail("SET ACCESS METHOD needs PostgreSQL 15")
    wanted, has = command.text("name"), a.relation.access_method
    if (not has and not wanted) or (not has and wanted == "heap" and a.gathering.knows(a.relation)):
        return
    if not has:
        a.gathering.work(a.relation, maybe={Work.REWRITE})
    elif wanted != has:
        a.gathering.work(a.relation, Work.REWRITE)


def set_tablespace(a: Altering, command: Tree) -> None:
    """SET TABLESPACE copies the files, unless they are there."""
    work = {Work.COPY}
    if command.text("name") == "pg_default":
        a.gathering.work(a.relation, maybe=work)
    else:
        a.gathering.work(a.relation, *work)


def change_owner(a: Altering, command: Tree) -> None:
    """OWNER TO changes the owner of the owned sequences too; the same owner again changes nothing."""
    owner = command.get("newowner")
    if owner is not None and owner.enum("roletype") in {"ROLESPEC_CURRENT_USER", "ROLESPEC_CURRENT_ROLE"}:
        return
    for one in owned_sequences(a.gathering.schema, a.relation.name):
        a.gathering.lock(one, Mode.ACCESS_EXCLUSIVE, because="it belongs to the table")


def replica_identity(a: Altering, command: Tree) -> None:
    """REPLICA IDENTITY: the index that it names must be there."""
    definition = command.get("def_")
    name = definition.text("name") if definition else ""
    index = a.relation.indexes.get(name)
    if name and a.gathering.knows(a.relation) and index is None:
        a.gathering.fail_if_sure(f"{a.relation.name} has no index {quote(name)}")
    elif index is not None and (not index.is_unique or index.predicate or index.expressions):
        a.gathering.fail_if_sure(f"{quote(name)} is not a unique index over all rows and of columns alone")


def require_clusterable(g: Gathering, relation: Relation, name: str) -> None:
    """Say that rows cannot be put into the order of an index: it is missing, partial, or has no order."""
    index = relation.indexes.get(name)
    if name and index is None and g.knows(relation):
        g.fail_if_sure(f"{relation.name} has no index {quote(name)}")
    elif index is not None and (index.predicate or index.method not in {"btree", "gist"}):
        g.fail_if_sure(f"{quote(name)} does not put all rows into an order")

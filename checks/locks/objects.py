"""What hangs on a table or is named after one: triggers, rules, policies, comments, grants, publications, names."""

from __future__ import annotations

from checks.locks.data import inner_query
from checks.locks.drops import drop as drop_tables
from checks.locks.gathering import Gathering
from checks.locks.indexes import drop_index
from checks.locks.peers import below, family, owned_sequences
from checks.locks.queries import lock_query
from checks.locks.types import drop_extension, drop_function, drop_schema, drop_type
from checks.locks.values import Mode
from checks.model import ConstraintKind, Kind, Name, Relation
from checks.names import parts, qualified, quote
from checks.reading import dropped_names
from checks.tree import Tree

_AE, _SUE, _AS = Mode.ACCESS_EXCLUSIVE, Mode.SHARE_UPDATE_EXCLUSIVE, Mode.ACCESS_SHARE
_RELATIONS = {"TABLE", "VIEW", "MATVIEW", "SEQUENCE", "FOREIGN_TABLE"}
_ON_TABLE = {"TRIGGER", "RULE", "POLICY", "TABCONSTRAINT"}
# Kinds of objects that no relation is locked for, whatever is done to them.
_APART = frozenset(
    [
        "ACCESS_METHOD",
        "AGGREGATE",
        "CAST",
        "COLLATION",
        "CONVERSION",
        "DATABASE",
        "DEFACL",
        "DOMCONSTRAINT",
        "EVENT_TRIGGER",
        "FDW",
        "FOREIGN_SERVER",
        "LANGUAGE",
        "LARGEOBJECT",
        "OPCLASS",
        "OPERATOR",
        "OPFAMILY",
        "PARAMETER_ACL",
        "PROCEDURE",
        "PUBLICATION",
        "ROLE",
        "ROUTINE",
        "FUNCTION",
        "SCHEMA",
        "STATISTIC_EXT",
        "SUBSCRIPTION",
        "TABLESPACE",
        "TRANSFORM",
        "TSCONFIGURATION",
        "TSDICTIONARY",
        "TSPARSER",
        "TSTEMPLATE",
        "TYPE",
        "DOMAIN",
        "USER_MAPPING",
        "EXTENSION",
    ]
)


def drop(g: Gathering, tree: Tree) -> None:
    """DROP of anything."""
    kind = tree.enum("removeType").removeprefix("OBJECT_")
    if kind in _RELATIONS:
        drop_tables(g, tree)
    elif kind == "INDEX":
        drop_index(g, tree)
    elif kind in _ON_TABLE:
        _drop_on_table(g, tree, kind)
    elif kind == "SCHEMA":
        drop_schema(g, tree)
    elif kind in {"TYPE", "DOMAIN"}:
        drop_type(g, tree)
    elif kind in {"FUNCTION", "PROCEDURE", "ROUTINE"}:
        drop_function(g, tree)
    elif kind == "EXTENSION":
        drop_extension(g, tree)
    elif kind == "STATISTIC_EXT":
        g.miss("the table that the statistics are of")
    elif kind not in _APART or tree.enum("behavior") == "DROP_CASCADE":
        g.doubt(f"what goes with DROP {kind.replace('_', ' ')}")


def _drop_on_table(g: Gathering, tree: Tree, kind: str) -> None:
    for name in dropped_names(tree):
        *table, _ = parts(name)
        relation = g.find(".".join(table), missing_ok=tree.flag("missing_ok"), what="table")
        if relation is None:
            continue
        own = parts(name)[-1]
        known = {"TRIGGER": relation.triggers, "RULE": relation.rules, "POLICY": relation.policies}
        if kind in known and g.is_sure and own not in {quote(one) for one in known[kind]}:
            if not tree.flag("missing_ok"):
                g.fail(f"{relation.name} has no {kind.lower()} {own}")
            continue
        for one in (
            family(g.schema, relation) if relation.kind is Kind.PARTITIONED and kind == "TRIGGER" else (relation,)
        ):
            g.lock(one, _AE, because="" if one is relation else f"it is a partition of {relation.name}")


def rename(g: Gathering, tree: Tree) -> None:
    """ALTER … RENAME of anything."""
    kind = tree.enum("renameType").removeprefix("OBJECT_")
    if kind in {"INDEX", *_RELATIONS} and (table := g.schema.find_index(tree.relation())) is not None:
        index = tree.get("relation")
        g.lock_index(table, index.text("relname") if index else "", _SUE)
        return
    target = tree.get("relation")
    if kind == "TYPE" and (named := tree.get("object")) is not None:
        composite = g.schema.find(qualified(*(one.text("sval") for one in named.items())))
        if composite is not None and composite.kind is Kind.COMPOSITE:
            g.lock(composite, _AE)
    if target is None or kind in _APART:
        if kind not in _APART:
            g.doubt(f"what renaming a {kind.lower()} locks")
        return
    relation = g.find(tree.relation(), missing_ok=tree.flag("missing_ok"))
    if relation is None:
        return
    g.lock(relation, _AE)
    old = tree.text("subname")
    _refuse_rename(g, tree, relation, kind)
    for one in (
        list(family(g.schema, relation))[1:]
        if _goes_down(relation, kind, old, g.version) and target.flag("inh")
        else ()
    ):
        g.lock(one, _AE, because=f"it is below {relation.name}")


def _refuse_rename(g: Gathering, tree: Tree, relation: Relation, kind: str) -> None:
    old, only = tree.text("subname"), not _inherits(tree)
    if kind == "COLUMN" and g.knows(relation) and old not in relation.columns and relation.columns:
        g.fail_if_sure(f"there is no column {quote(old)} in {relation.name}")
    elif kind == "COLUMN" and old in relation.columns and not relation.columns[old].is_local:
        g.fail_if_sure(f"{quote(old)} comes from the parent of {relation.name}")
    elif kind == "COLUMN" and only and below(g.schema, relation):
        g.fail_if_sure(f"{quote(old)} is in the tables below {relation.name} too: leave ONLY out")
    if kind in _RELATIONS and g.schema.relations.get(Name(relation.name.schema, tree.text("newname"))) is not None:
        g.fail_if_sure(f"there is a relation {quote(tree.text('newname'))} already")


def _inherits(tree: Tree) -> bool:
    target = tree.get("relation")
    return target is not None and target.flag("inh")


_CLONES_ARE_RENAMED = 15
"""Since this version a trigger is renamed on the partitions too."""


def _goes_down(relation: Relation, kind: str, name: str, version: int) -> bool:
    if kind == "TABCONSTRAINT":
        found = relation.constraints.get(name)
        return found is not None and found.kind in {ConstraintKind.CHECK, ConstraintKind.NOT_NULL}
    is_cloned = kind == "TRIGGER" and relation.kind is Kind.PARTITIONED and version >= _CLONES_ARE_RENAMED
    return is_cloned or kind in {"COLUMN", "ATTRIBUTE"}


def set_schema(g: Gathering, tree: Tree) -> None:
    """ALTER … SET SCHEMA of anything."""
    kind = tree.enum("objectType").removeprefix("OBJECT_")
    if kind in _RELATIONS:
        relation = g.find(tree.relation(), missing_ok=tree.flag("missing_ok"))
        if relation is not None:
            g.lock(relation, _AE)
            for one in owned_sequences(g.schema, relation.name):
                g.lock(one, _AE, because=f"it belongs to {relation.name}")
            if g.schema.relations.get(Name(tree.text("newschema"), relation.name.name), relation) is not relation:
                g.fail_if_sure(f"there is a {relation.name.name} in {quote(tree.text('newschema'))} already")
    elif kind not in _APART:
        g.doubt(f"what moving a {kind.lower()} locks")


def create_trigger(g: Gathering, tree: Tree) -> None:
    """CREATE TRIGGER: writes wait, on the partitions too."""
    relation = g.find(tree.relation(), what="table")
    if relation is None:
        return
    goes_down = relation.kind is Kind.PARTITIONED and tree.flag("row")
    for one in family(g.schema, relation) if goes_down else (relation,):
        g.lock(
            one, Mode.SHARE_ROW_EXCLUSIVE, because="" if one is relation else f"it is a partition of {relation.name}"
        )
    if (other := tree.get("constrrel")) is not None and (found := g.find(other.range_name())) is not None:
        g.lock(found, _AS)


def on_table(g: Gathering, tree: Tree) -> None:
    """CREATE and ALTER POLICY, CREATE RULE: the table is locked, and what their expressions read."""
    relation = g.find(tree.relation("table" if tree.tag.endswith("PolicyStmt") else "relation"), what="table or view")
    if relation is not None:
        g.lock(relation, _AE)
    for name in ("qual", "with_check", "whereClause"):
        if (inner := tree.get(name)) is not None:
            lock_query(g, inner, plans=False)
    for action in tree.each("actions"):
        lock_query(g, action, plans=False)


def comment(g: Gathering, tree: Tree) -> None:
    """COMMENT ON and SECURITY LABEL ON of anything."""
    kind, named = tree.enum("objtype").removeprefix("OBJECT_"), tree.get("object")
    names = [one.text("sval") for one in named.items()] if named else []
    if kind in _RELATIONS | {"COLUMN"}:
        table = qualified(*(names[:-1] if kind == "COLUMN" else names))
        relation = g.find(table)
        if relation is not None:
            g.lock(relation, _SUE)
            if kind == "COLUMN" and relation.columns and names[-1] not in relation.columns:
                g.fail_if_sure(f"there is no column {quote(names[-1])} in {relation.name}")
    elif kind == "INDEX":
        table_of = g.schema.find_index(qualified(*names))
        if table_of is not None:
            g.lock_index(table_of, names[-1], _SUE)
        elif g.is_sure:
            g.fail(f"there is no index {qualified(*names)}")
    elif kind in _ON_TABLE:
        relation = g.find(qualified(*names[:-1]))
        if relation is not None:
            g.lock(relation, _AS)
    elif kind not in _APART:
        g.doubt(f"what a comment on a {kind.lower()} locks")


def grant(g: Gathering, tree: Tree) -> None:
    """GRANT and REVOKE: from 18 on the tables are locked as a reader does it."""
    if not g.since(18):
        return
    if tree.enum("objtype").removeprefix("OBJECT_") not in {"TABLE", "SEQUENCE"}:
        return
    if tree.enum("targtype") != "ACL_TARGET_OBJECT":
        return
    for target in tree.each("objects"):
        relation = g.find(target.range_name())
        if relation is not None:
            g.lock(relation, _AS)


def publication(g: Gathering, tree: Tree) -> None:
    """CREATE and ALTER PUBLICATION: the tables that are named."""
    for one in tree.each("pubobjects"):
        table = one.get("pubtable")
        target = table.get("relation") if table else None
        relation = g.find(target.range_name(), what="table") if target else None
        if target is None or relation is None:
            continue
        tables = family(g.schema, relation) if target.flag("inh") and relation.kind is Kind.TABLE else (relation,)
        for each in tables:
            g.lock(each, _SUE, because="" if each is relation else f"it is below {relation.name}")
    if tree.tag == "AlterPublicationStmt" and tree.enum("action") == "AP_SetObjects":
        g.miss("which tables the publication had")


def statistics(g: Gathering, tree: Tree) -> None:
    """CREATE STATISTICS."""
    for one in tree.each("relations"):
        relation = g.find(one.range_name(), what="table")
        if relation is not None:
            g.lock(relation, _SUE)


def explain(g: Gathering, tree: Tree) -> None:
    """EXPLAIN plans the statement, and so locks what it would."""
    inner_query(g, tree)

"""What a statement names and the schema does not have, or has as something else: the server refuses it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from checks.locks.gathering import SYSTEM_SCHEMAS, Gathering
from checks.locks.names import SYSTEM_COLUMNS
from checks.locks.volatility import sequences_in
from checks.model import Kind, Name, Relation
from checks.model.types import data_type, resolve, serial_of
from checks.names import qualified, quote
from checks.reading import dropped_names
from checks.tree import Tree
from checks.words import counted

_TABLES = frozenset({Kind.TABLE, Kind.PARTITIONED, Kind.FOREIGN})
_KINDS: Mapping[str, frozenset[Kind]] = {
    "TABLE": frozenset({Kind.TABLE, Kind.PARTITIONED}),
    "FOREIGN_TABLE": frozenset({Kind.FOREIGN}),
    "VIEW": frozenset({Kind.VIEW}),
    "MATVIEW": frozenset({Kind.MATERIALIZED}),
    "SEQUENCE": frozenset({Kind.SEQUENCE}),
}
_FUNCTIONS = frozenset({"FUNCTION", "PROCEDURE", "ROUTINE"})
# Commands of ALTER TABLE that only tables take (ATSimplePermissions).
_OF_TABLES = frozenset(
    """
    AT_AddColumn AT_DropColumn AT_AlterColumnType AT_SetNotNull AT_DropNotNull AT_AddConstraint AT_DropConstraint
    AT_ValidateConstraint AT_AddIdentity AT_DropIdentity AT_SetLogged AT_SetUnLogged AT_AddInherit AT_DropInherit
    AT_AttachPartition AT_DetachPartition AT_EnableRowSecurity AT_DisableRowSecurity AT_ReplicaIdentity
    """.split()  # noqa: SIM905 - words, not a list of strings
)
_TRIGGERS = frozenset({"AT_EnableTrig", "AT_EnableAlwaysTrig", "AT_EnableReplicaTrig", "AT_DisableTrig"})
_RULES = frozenset({"AT_EnableRule", "AT_EnableAlwaysRule", "AT_EnableReplicaRule", "AT_DisableRule"})
# Functions of the server that a trigger can call.
_TRIGGER_FUNCTIONS = frozenset(
    {"suppress_redundant_updates_trigger", "tsvector_update_trigger", "tsvector_update_trigger_column"}
)


def refuse_missing(g: Gathering, tree: Tree) -> None:
    """Say that the server refuses a statement, where what it names is not there."""
    if not g.schema.is_complete:
        return
    if (look := _LOOKS.get(tree.tag)) is not None:
        look(g, tree)


def _a(kind: Kind) -> str:
    return f"{'an' if kind[0] in 'aeiou' else 'a'} {kind}"


def _require_kind(g: Gathering, relation: Relation | None, kinds: frozenset[Kind]) -> None:
    if relation is not None and relation.kind not in kinds:
        g.fail_if_sure(f"{relation.name} is {_a(relation.kind)}")


def require_type(g: Gathering, node: Tree | None) -> None:
    """Say that the server refuses what names a type that is not there."""
    told = data_type(node, g.schema) if node is not None else None
    if node is None or told is None or told.is_built_in or not told.name or serial_of(node):
        return
    places = [told.schema] if told.schema else []
    if places and (places[0] in SYSTEM_SCHEMAS or Name(places[0], told.name) in g.schema.relations):
        return
    if resolve([*places, told.name], g.schema) is None:
        g.fail_if_sure(f"there is no type {qualified(*places, told.name)}")


def _require_named_type(g: Gathering, parts: Iterable[Tree]) -> None:
    names = [one.text("sval") for one in parts]
    if names and names[0] not in SYSTEM_SCHEMAS and resolve(names, g.schema) is None:
        g.fail_if_sure(f"there is no type {qualified(*names)}")


def _require_columns(g: Gathering, relation: Relation | None, expression: Tree | None) -> None:
    """Say so where an expression on the rows of one table names a column that it does not have."""
    if expression is None or relation is None or not relation.columns:
        return
    nodes = list(expression.walk())
    if any(one.tag == "SelectStmt" for one in nodes):  # it has tables of its own
        return
    for one in nodes:
        fields = [part.text("sval") for part in one.each("fields")] if one.tag == "ColumnRef" else []
        if len(fields) == 1 and fields[0]:
            _require_column(g, relation, fields[0])


def _require_column(g: Gathering, relation: Relation, name: str) -> None:
    if relation.columns and name not in {*relation.columns, *SYSTEM_COLUMNS, relation.name.name}:
        g.fail_if_sure(f"there is no column {quote(name)} in {relation.name}")


def _table(g: Gathering, tree: Tree) -> None:
    tree = tree.get("base") or tree
    for one in tree.each("tableElts"):
        if one.tag == "ColumnDef":
            require_type(g, one.get("typeName"))


def _alter_table(g: Gathering, tree: Tree) -> None:
    relation, kind = g.schema.find(tree.relation()), tree.enum("objtype").removeprefix("OBJECT_")
    if relation is None:
        return
    if kind != "TABLE" and kind in _KINDS:
        _require_kind(g, relation, _KINDS[kind])
    for one in tree.each("cmds"):
        subtype, name, definition = one.enum("subtype"), one.text("name"), one.get("def_")
        if subtype in _OF_TABLES and relation.kind not in _TABLES | {Kind.COMPOSITE}:
            g.fail_if_sure(f"{relation.name} is {_a(relation.kind)}")
        if definition is not None and subtype in {"AT_AddColumn", "AT_AlterColumnType"}:
            require_type(g, definition.get("typeName"))
        if subtype in _TRIGGERS and name not in relation.triggers and not name.startswith("RI_"):
            g.fail_if_sure(f"{relation.name} has no trigger {quote(name)}")
        if subtype in _RULES and name not in relation.rules:
            g.fail_if_sure(f"{relation.name} has no rule {quote(name)}")


def _drop(g: Gathering, tree: Tree) -> None:
    kind, missing_ok = tree.enum("removeType").removeprefix("OBJECT_"), tree.flag("missing_ok")
    for one, name in zip(tree.each("objects"), dropped_names(tree), strict=True):
        if kind in _KINDS:
            _require_kind(g, g.schema.find(name), _KINDS[kind])
        elif kind in {"TYPE", "DOMAIN"} and not missing_ok:
            _require_named_type(g, one.each("names"))
        elif kind in _FUNCTIONS and not missing_ok:
            _require_function(g, [part.text("sval") for part in one.each("objname")])
        elif kind == "EXTENSION" and not missing_ok and one.text("sval") not in g.schema.extensions | {"plpgsql"}:
            g.fail_if_sure(f"there is no extension {name}")


def _require_function(g: Gathering, names: list[str]) -> None:
    """A function that is not known, where extensions are: it may be one of theirs."""
    places = names[-2:-1] or [*g.schema.path]
    is_there = any(Name(place, names[-1]) in g.schema.functions for place in places)
    if is_there or g.schema.extensions or names[0] in SYSTEM_SCHEMAS:
        return
    g.fail_if_sure(f"there is no function {qualified(*names)}()")


def _rename(g: Gathering, tree: Tree) -> None:
    kind = tree.enum("renameType").removeprefix("OBJECT_")
    item = tree.get("object")
    if kind in _KINDS and kind != "TABLE":
        _require_kind(g, g.schema.find(tree.relation()), _KINDS[kind])
    elif kind == "TYPE" and item is not None:
        _require_named_type(g, item.items())
        found = g.schema.find(qualified(*(one.text("sval") for one in item.items())))
        if found is not None and found.kind is not Kind.COMPOSITE:
            g.fail_if_sure(f"{found.name} is the type of {_a(found.kind)}: rename that")
    elif kind == "DOMAIN" and item is not None:
        _require_named_type(g, item.items())


def _domain(g: Gathering, tree: Tree) -> None:
    """ALTER DOMAIN: the domain, and the constraint that it drops or validates."""
    names = [one.text("sval") for one in tree.each("typeName")]
    place = resolve(names, g.schema)
    found = g.schema.types.get(place) if place else None
    if found is None:
        _require_named_type(g, tree.each("typeName"))
    elif (
        tree.text("subtype") in {"X", "V"}
        and tree.text("name") not in found.constraints
        and not tree.flag("missing_ok")
    ):
        g.fail_if_sure(f"{found.name} has no constraint {quote(tree.text('name'))}")


def _truncate(g: Gathering, tree: Tree) -> None:
    for one in tree.each("relations"):
        _require_kind(g, g.schema.find(one.range_name()), _TABLES)


def _reindex(g: Gathering, tree: Tree) -> None:
    kind, name = tree.enum("kind").removeprefix("REINDEX_OBJECT_"), tree.text("name")
    if kind == "TABLE":
        _require_kind(g, g.schema.find(tree.relation()), _TABLES | {Kind.MATERIALIZED})
    elif kind == "SCHEMA" and name not in g.schema.schemas | SYSTEM_SCHEMAS:
        g.fail_if_sure(f"there is no schema {quote(name)}")


def _sequence(g: Gathering, tree: Tree) -> None:
    _require_kind(g, g.schema.find(tree.relation("sequence")), frozenset({Kind.SEQUENCE}))


def _trigger(g: Gathering, tree: Tree) -> None:
    names = [one.text("sval") for one in tree.each("funcname")]
    if names and names[-1] not in _TRIGGER_FUNCTIONS:
        _require_function(g, names)
    relation = g.schema.find(tree.relation())
    for one in tree.each("columns"):
        if relation is not None:
            _require_column(g, relation, one.text("sval"))


def _index(g: Gathering, tree: Tree) -> None:
    relation = g.schema.find(tree.relation())
    for one in tree.each("indexParams"):
        _require_columns(g, relation, one.get("expr"))
    _require_columns(g, relation, tree.get("whereClause"))


def _policy(g: Gathering, tree: Tree) -> None:
    relation = g.schema.find(tree.relation("table"))
    for name in ("qual", "with_check"):
        _require_columns(g, relation, tree.get(name))


def _rows(g: Gathering, tree: Tree) -> None:
    """INSERT and UPDATE: the columns that they name, and no more values than columns."""
    relation = g.schema.find(tree.relation())
    if relation is None or not relation.columns or relation.kind is Kind.VIEW:
        return
    named = tree.each("cols") if tree.tag == "InsertStmt" else tree.each("targetList")
    for one in named:
        _require_column(g, relation, one.text("name"))
    select = tree.get("selectStmt")
    rows = select.each("valuesLists") if select is not None else ()
    if rows and not named and max(len(one.items()) for one in rows) > len(relation.columns):
        g.fail_if_sure(f"{relation.name} has {counted(len(relation.columns), 'column')}, and more values are given")


def _query(g: Gathering, tree: Tree) -> None:
    """Sequences that a query takes values from."""
    for name in sequences_in(tree):
        g.find(name, what="sequence")


def _comment(g: Gathering, tree: Tree) -> None:
    kind, item = tree.enum("objtype").removeprefix("OBJECT_"), tree.get("object")
    if item is None:
        return
    names = [one.text("sval") for one in item.items()]
    relation = g.schema.find(qualified(*names[:-1])) if len(names) > 1 else None
    if kind in {"TYPE", "DOMAIN"}:
        require_type(g, item)
    elif kind == "SCHEMA" and item.text("sval") not in g.schema.schemas | SYSTEM_SCHEMAS:
        g.fail_if_sure(f"there is no schema {quote(item.text('sval'))}")
    elif kind in _FUNCTIONS:
        _require_function(g, [one.text("sval") for one in item.each("objname")])
    elif kind == "TABCONSTRAINT" and relation is not None and names[-1] not in relation.constraints:
        g.fail_if_sure(f"{relation.name} has no constraint {quote(names[-1])}")
    elif kind == "TRIGGER" and relation is not None and names[-1] not in relation.triggers:
        g.fail_if_sure(f"{relation.name} has no trigger {quote(names[-1])}")


def _grant(g: Gathering, tree: Tree) -> None:
    kind = tree.enum("objtype").removeprefix("OBJECT_")
    for one in tree.each("objects") if tree.enum("targtype") == "ACL_TARGET_OBJECT" else ():
        if kind in {"TABLE", "SEQUENCE"}:
            g.find(one.range_name())
        elif kind == "SCHEMA" and one.text("sval") not in g.schema.schemas | SYSTEM_SCHEMAS:
            g.fail_if_sure(f"there is no schema {quote(one.text('sval'))}")
        elif kind in _FUNCTIONS:
            _require_function(g, [part.text("sval") for part in one.each("objname")])


def _enum(g: Gathering, tree: Tree) -> None:
    _require_named_type(g, tree.each("typeName"))


_LOOKS: Mapping[str, Callable[[Gathering, Tree], None]] = {
    "CreateStmt": _table,
    "CreateForeignTableStmt": _table,
    "AlterTableStmt": _alter_table,
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "AlterDomainStmt": _domain,
    "AlterEnumStmt": _enum,
    "TruncateStmt": _truncate,
    "ReindexStmt": _reindex,
    "AlterSeqStmt": _sequence,
    "CreateTrigStmt": _trigger,
    "IndexStmt": _index,
    "CreatePolicyStmt": _policy,
    "InsertStmt": _rows,
    "UpdateStmt": _rows,
    "SelectStmt": _query,
    "CommentStmt": _comment,
    "GrantStmt": _grant,
}

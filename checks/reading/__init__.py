"""From one parsed statement to its changes. A node that is not listed here becomes UNKNOWN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from checks.changes import Change, Verb
from checks.names import parts, qualified, quote
from checks.reading.data import data_changes
from checks.reading.programs import create_function, define, grant, setting
from checks.reading.tables import alter_table
from checks.tree import Tree

_DATA = frozenset(
    {"SelectStmt", "InsertStmt", "UpdateStmt", "DeleteStmt", "MergeStmt", "CreateTableAsStmt", "ExplainStmt"}
)

_SIMPLE: dict[str, Verb] = {
    "CommentStmt": Verb.COMMENT,
    "SecLabelStmt": Verb.COMMENT,
    "ConstraintsSetStmt": Verb.SETTING,
    "CreateEnumStmt": Verb.CREATE_OBJECT,
    "CreateDomainStmt": Verb.CREATE_OBJECT,
    "CompositeTypeStmt": Verb.CREATE_OBJECT,
    "CreateRangeStmt": Verb.CREATE_OBJECT,
    "CreateSeqStmt": Verb.CREATE_OBJECT,
    "CreateStatsStmt": Verb.CREATE_OBJECT,
    "CreateTrigStmt": Verb.ALTER_OBJECT,
    "CreatePolicyStmt": Verb.ALTER_OBJECT,
    "AlterPolicyStmt": Verb.ALTER_OBJECT,
    "RuleStmt": Verb.ALTER_OBJECT,
    "AlterEnumStmt": Verb.ALTER_OBJECT,
    "AlterSeqStmt": Verb.ALTER_OBJECT,
    "AlterFunctionStmt": Verb.ALTER_OBJECT,
    "AlterOwnerStmt": Verb.ALTER_OBJECT,
    "CreateExtensionStmt": Verb.ALTER_OBJECT,
    "AlterExtensionStmt": Verb.ALTER_OBJECT,
    "CreatePublicationStmt": Verb.ALTER_OBJECT,
    "AlterPublicationStmt": Verb.ALTER_OBJECT,
    "RefreshMatViewStmt": Verb.ALTER_OBJECT,
    "AlterDomainStmt": Verb.ALTER_OBJECT,
    "AlterDefaultPrivilegesStmt": Verb.ALTER_OBJECT,
    "ClusterStmt": Verb.REWRITE,
    "DoStmt": Verb.PROCEDURE,
    "CallStmt": Verb.PROCEDURE,
    "TransactionStmt": Verb.TRANSACTION,
}


def read(tree: Tree, *, kind: str) -> tuple[Change, ...]:
    """Return the changes one statement makes, never none: what is not understood is one UNKNOWN."""
    if tree.tag in _DATA:
        return data_changes(tree)
    if reader := _READERS.get(tree.tag):
        return reader(tree)
    if verb := _SIMPLE.get(tree.tag):
        return (Change(verb, table=tree.relation(), detail=kind),)
    return (Change(Verb.UNKNOWN, detail=kind),)


def _create_table(tree: Tree) -> tuple[Change, ...]:
    tree = tree.get("base") or tree  # a foreign table wraps the description of a table
    partition = tree.get("partbound") is not None
    verb = Verb.CREATE_PARTITION if partition else Verb.CREATE_TABLE
    table = tree.relation()
    made = Change(verb, table=table, if_not_exists=tree.flag("if_not_exists"))
    # Queries of a parent see the rows of every table that inherits from it.
    parents = () if partition else tree.each("inhRelations")
    return (made, *(Change(Verb.ALTER_OBJECT, table=one.range_name(), detail=f"{table} inherits") for one in parents))


def _create_schema(tree: Tree) -> tuple[Change, ...]:
    schema = quote(tree.text("schemaname"))
    inner = [change for part in tree.each("schemaElts") for change in read(part, kind="CREATE SCHEMA element")]
    # A bare name in there means an object of the new schema.
    placed = [
        replace(change, table=f"{schema}.{change.table}") if len(parts(change.table)) == 1 else change
        for change in inner
    ]
    return (Change(Verb.CREATE_OBJECT, name=schema, detail="CREATE SCHEMA"), *placed)


def _index(tree: Tree) -> tuple[Change, ...]:
    concurrent = tree.flag("concurrent")
    return (
        Change(
            Verb.CREATE_INDEX_CONCURRENTLY if concurrent else Verb.CREATE_INDEX,
            table=tree.relation(),
            name=quote(tree.text("idxname")) if tree.text("idxname") else "",
            columns=tuple(quote(part.text("name")) for part in tree.each("indexParams") if part.text("name")),
            definition=tree.sql(),
            if_not_exists=tree.flag("if_not_exists"),
            unique=tree.flag("unique"),
        ),
    )


def _reindex(tree: Tree) -> tuple[Change, ...]:
    concurrent = tree.switched_on("concurrently", among="params")
    verb = Verb.REINDEX_CONCURRENTLY if concurrent else Verb.REINDEX
    return (Change(verb, name=tree.relation() or quote(tree.text("name"))),)


def dropped_names(tree: Tree) -> tuple[str, ...]:
    """Return the names a DROP lists. Of `DROP TRIGGER x ON t` and its kind, the dotted name is table first."""
    names: list[str] = []
    for item in tree.each("objects"):
        if item.tag == "String":
            names.append(quote(item.text("sval")))
        elif item.tag == "ObjectWithArgs":
            names.append(item.dotted("objname"))
        elif item.tag == "TypeName":
            names.append(item.dotted("names"))
        else:
            names.append(qualified(*(part.text("sval") for part in item.items())))
    return tuple(names)


def _drop(tree: Tree) -> tuple[Change, ...]:
    kind = tree.enum("removeType").removeprefix("OBJECT_")
    is_table = kind in {"TABLE", "FOREIGN_TABLE"}
    if kind == "SCHEMA":
        verb = Verb.DROP_SCHEMA
    elif tree.enum("behavior") == "DROP_CASCADE":
        verb = Verb.DROP_CASCADE
    elif is_table:
        verb = Verb.DROP_TABLE
    elif kind == "INDEX" and tree.flag("concurrent"):
        verb = Verb.DROP_INDEX_CONCURRENTLY
    else:
        verb = Verb.DROP_OBJECT
    words = kind.replace("_", " ").lower().replace("matview", "materialized view")
    on_table = kind in {"TRIGGER", "POLICY", "RULE"}
    return tuple(
        Change(verb, table=_owner(item) if on_table else name if is_table else "",
               name="" if is_table else parts(name)[-1] if on_table else name, detail=words)
        for item, name in zip(tree.each("objects"), dropped_names(tree), strict=True)
    )  # fmt: skip


def _owner(item: Tree) -> str:
    """Return the table of `DROP TRIGGER x ON schema.table`: every part of the dotted name but the last."""
    return qualified(*(part.text("sval") for part in item.items()[:-1]))


def _rename(tree: Tree) -> tuple[Change, ...]:
    kind, table, new = tree.enum("renameType"), tree.relation(), quote(tree.text("newname"))
    if kind == "OBJECT_COLUMN":
        return (Change(Verb.RENAME_COLUMN, table=table, name=quote(tree.text("subname")), detail=new),)
    if kind in {"OBJECT_TABLE", "OBJECT_VIEW", "OBJECT_MATVIEW", "OBJECT_FOREIGN_TABLE"}:
        return (Change(Verb.RENAME_TABLE, table=table, detail=new),)
    if kind in {"OBJECT_SCHEMA", "OBJECT_DATABASE", "OBJECT_ROLE"}:
        return (Change(Verb.RESTRUCTURE, name=quote(tree.text("subname")), detail=f"rename to {new}"),)
    is_relation_itself = kind in {"OBJECT_INDEX", "OBJECT_SEQUENCE"}
    return (
        Change(
            Verb.RENAME_OBJECT,
            table="" if is_relation_itself else table,
            name=quote(tree.text("subname")) if tree.text("subname") else table,
            detail=new,
        ),
    )


def _move(tree: Tree) -> tuple[Change, ...]:
    return (Change(Verb.MOVE, table=tree.relation(), detail=quote(tree.text("newschema"))),)


def _vacuum(tree: Tree) -> tuple[Change, ...]:
    verb = Verb.REWRITE if tree.switched_on("full") else Verb.MAINTENANCE
    tables = [rel.relation() for rel in tree.each("rels")] or [""]
    return tuple(Change(verb, table=table, detail="VACUUM FULL") for table in tables)


def _truncate(tree: Tree) -> tuple[Change, ...]:
    detail = "CASCADE" if tree.enum("behavior") == "DROP_CASCADE" else ""
    return tuple(Change(Verb.TRUNCATE, table=item.range_name(), detail=detail) for item in tree.each("relations"))


def _copy(tree: Tree) -> tuple[Change, ...]:
    if tree.flag("is_program"):
        return (Change(Verb.COPY_PROGRAM, table=tree.relation(), name=tree.text("filename")),)
    if tree.flag("is_from"):
        return (Change(Verb.INSERT, table=tree.relation()),)
    if tree.text("filename"):
        return (Change(Verb.UNKNOWN, table=tree.relation(), detail="COPY into a file of the server"),)
    query = tree.get("query")
    return data_changes(query) if query is not None else (Change(Verb.READ),)


def _view(tree: Tree) -> tuple[Change, ...]:
    return (Change(Verb.CREATE_VIEW, table=tree.relation("view")),)


def _lock(tree: Tree) -> tuple[Change, ...]:
    return tuple(Change(Verb.LOCK, table=item.range_name()) for item in tree.each("relations"))


_READERS: dict[str, Callable[[Tree], tuple[Change, ...]]] = {
    "CreateStmt": _create_table,
    "CreateForeignTableStmt": _create_table,
    "CreateSchemaStmt": _create_schema,
    "IndexStmt": _index,
    "ReindexStmt": _reindex,
    "DropStmt": _drop,
    "RenameStmt": _rename,
    "VariableSetStmt": setting,
    "VariableShowStmt": lambda _: (Change(Verb.READ),),
    "VacuumStmt": _vacuum,
    "TruncateStmt": _truncate,
    "CopyStmt": _copy,
    "GrantStmt": grant,
    "GrantRoleStmt": grant,
    "CreateFunctionStmt": create_function,
    "DefineStmt": define,
    "AlterObjectSchemaStmt": _move,
    "ViewStmt": _view,
    "LockStmt": _lock,
    "AlterTableStmt": alter_table,
}

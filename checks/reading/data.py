"""What a statement does to rows: also inside WITH, under EXPLAIN ANALYZE, and by the functions it calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from checks.changes import Change, Verb
from checks.reading.conditions import is_always_true
from checks.reading.functions import is_harmless
from checks.reading.settings import verb_of
from checks.tree import Tree

SETVAL = "setval of a sequence"


def data_changes(tree: Tree) -> tuple[Change, ...]:
    """Return every row change in a statement; a statement that only reads is one READ."""
    if tree.tag == "ExplainStmt" and not tree.switched_on("analyze"):
        return (Change(Verb.READ, detail="EXPLAIN"),)
    if tree.tag in {"CreateTableAsStmt", "ExplainStmt"}:
        query = tree.get("query")
        if query is not None and query.tag == "ExecuteStmt":
            return (Change(Verb.UNKNOWN, detail="EXECUTE"),)
    found = [change for node in tree.walk() for change in _node(node)]
    if tree.tag == "ExplainStmt":
        # EXPLAIN ANALYZE of CREATE TABLE AS does run. What is left of it afterwards is nobody's business to guess.
        found = [
            replace(change, verb=Verb.UNKNOWN, detail="EXPLAIN ANALYZE of CREATE TABLE AS")
            if change.verb is Verb.CREATE_TABLE
            else change
            for change in found
        ]
    if tree.flag("if_not_exists"):
        # CREATE TABLE IF NOT EXISTS ... AS may find a table with rows and users.
        found = [replace(change, if_not_exists=change.verb is Verb.CREATE_TABLE) for change in found]
    return tuple(found) or (Change(Verb.READ),)


def _node(node: Tree) -> Iterator[Change]:
    match node.tag:
        case "InsertStmt":
            conflict = node.get("onConflictClause")
            overwrites = conflict is not None and conflict.enum("action") == "ONCONFLICT_UPDATE"
            detail = "ON CONFLICT DO UPDATE" if overwrites else ""
            yield Change(Verb.INSERT, table=node.relation(), detail=detail, offset=_start(node))
        case "UpdateStmt" | "DeleteStmt":
            word = node.tag.removesuffix("Stmt").upper()
            everything = is_always_true(node.get("whereClause"))
            verb = Verb.CHANGE_ALL_ROWS if everything else Verb[word]
            yield Change(verb, table=node.relation(), detail=word, offset=_start(node))
        case "MergeStmt":
            verb = Verb.CHANGE_ALL_ROWS if _merges_everything(node) else Verb.MERGE
            yield Change(verb, table=node.relation(), detail="MERGE", offset=_start(node))
        case "IntoClause":
            yield Change(Verb.CREATE_TABLE, table=node.relation("rel"))
        case "LockingClause":
            yield Change(Verb.READ, detail="row locks")
        case "FuncCall":
            yield from _call(node)
        case _:
            pass


def _merges_everything(node: Tree) -> bool:
    clauses = node.each("mergeWhenClauses")
    if any(clause.enum("matchKind") == "MERGE_WHEN_NOT_MATCHED_BY_SOURCE" for clause in clauses):
        return True  # every row that the source does not have: mostly all of them
    matched = [clause.get("condition") for clause in clauses if clause.enum("matchKind") == "MERGE_WHEN_MATCHED"]
    return is_always_true(node.get("joinCondition")) and any(map(is_always_true, matched))


def _start(node: Tree) -> int:
    relation = node.get("relation")
    return relation.offset if relation else -1


def _call(node: Tree) -> Iterator[Change]:
    name = tuple(part.text("sval") for part in node.each("funcname"))
    bare = name[-1] if name else ""
    if bare == "set_config":
        setting, value = (_argument(node, place) for place in (0, 1))
        verb = Verb.SESSION_ROLE if setting is None else verb_of(setting, value)
        yield Change(verb, name=(setting or "a computed setting").lower(), offset=node.offset)
    elif bare == "setval":
        yield Change(Verb.ALTER_OBJECT, detail=SETVAL, offset=node.offset)
    elif not is_harmless(name):
        yield Change(Verb.UNKNOWN, detail=f"a call of {'.'.join(name)}()", offset=node.offset)


def _argument(node: Tree, place: int) -> str | None:
    """Return one argument when it is a plain string, else None."""
    arguments = node.each("args")[place : place + 1]
    value = arguments[0].get("val") if arguments and arguments[0].tag == "A_Const" else None
    return value.text("sval") if value is not None and value.tag == "String" else None

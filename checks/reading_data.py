"""What a statement does to rows: also inside WITH, under EXPLAIN ANALYZE, and by the functions it calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from checks.changes import Change, Verb
from checks.functions import is_harmless
from checks.tree import Tree

_GUARDED = frozenset({"role", "session_authorization", "session_replication_role"})

# How many levels of AND and OR are followed in search of a condition that is always true.
_FOLLOWED = 100


def data_changes(tree: Tree) -> tuple[Change, ...]:
    """Return every row change in a statement; a statement that only reads is one READ."""
    if tree.tag == "ExplainStmt" and not tree.switched_on("analyze"):
        return (Change(Verb.READ, detail="EXPLAIN"),)
    if tree.tag in {"CreateTableAsStmt", "ExplainStmt"}:
        query = tree.get("query")
        if query is not None and query.tag == "ExecuteStmt":
            return (Change(Verb.UNKNOWN, detail="EXECUTE"),)
    found = [change for node in tree.walk() for change in _node(node)]
    if tree.flag("if_not_exists"):
        # CREATE TABLE IF NOT EXISTS ... AS may find a table with rows and users.
        found = [replace(change, if_not_exists=change.verb is Verb.CREATE_TABLE) for change in found]
    return tuple(found) or (Change(Verb.READ),)


def _node(node: Tree) -> Iterator[Change]:
    match node.tag:
        case "InsertStmt":
            yield Change(Verb.INSERT, table=node.relation(), offset=_start(node))
        case "UpdateStmt" | "DeleteStmt":
            word = node.tag.removesuffix("Stmt").upper()
            everything = is_always_true(node.get("whereClause"))
            verb = Verb.CHANGE_ALL_ROWS if everything else Verb[word]
            yield Change(verb, table=node.relation(), detail=word, offset=_start(node))
        case "MergeStmt":
            clauses = node.each("mergeWhenClauses")
            by_source = any(clause.enum("matchKind") == "MERGE_WHEN_NOT_MATCHED_BY_SOURCE" for clause in clauses)
            # BY SOURCE reaches every row that the source does not have: mostly all of them.
            yield Change(Verb.CHANGE_ALL_ROWS if by_source else Verb.MERGE, table=node.relation(), detail="MERGE")
        case "IntoClause":
            yield Change(Verb.CREATE_TABLE, table=node.relation("rel"))
        case "LockingClause":
            yield Change(Verb.READ, detail="row locks")
        case "FuncCall":
            yield from _call(node)
        case _:
            pass


def _start(node: Tree) -> int:
    relation = node.get("relation")
    return relation.offset if relation else -1


def _call(node: Tree) -> Iterator[Change]:
    name = tuple(part.text("sval") for part in node.each("funcname"))
    bare = name[-1] if name else ""
    if bare == "set_config":
        setting = _first_argument(node)
        known = setting is not None and setting.lower() not in _GUARDED
        yield Change(
            Verb.SETTING if known else Verb.SESSION_ROLE, name=setting or "a computed setting", offset=node.offset
        )
    elif bare == "setval":
        yield Change(Verb.ALTER_OBJECT, detail="setval of a sequence", offset=node.offset)
    elif not is_harmless(name):
        yield Change(Verb.UNKNOWN, detail=f"a call of {'.'.join(name)}()", offset=node.offset)


def _first_argument(node: Tree) -> str | None:
    """Return the first argument when it is a plain string, else None."""
    arguments = node.each("args")
    value = arguments[0].get("val") if arguments and arguments[0].tag == "A_Const" else None
    return value.text("sval") if value is not None and value.tag == "String" else None


def is_always_true(condition: Tree | None) -> bool:
    """True when a WHERE excludes nothing that can be told by reading it: absent, TRUE, 1=1, x=x, or an OR with one."""
    if condition is None:
        return True
    if condition.tag == "A_Const":
        value = condition.get("val")
        return value is not None and value.flag("boolval")
    if condition.tag == "BoolExpr":
        # Too deep to follow is too deep to promise that a row is spared.
        arms = [is_always_true(arm) for arm in condition.each("args")] if _is_shallow(condition) else [True]
        kind = condition.enum("boolop")
        return (kind == "OR_EXPR" and any(arms)) or (kind == "AND_EXPR" and all(arms))
    if condition.tag == "A_Expr" and condition.dotted("name") == '"="':
        left, right = condition.get("lexpr"), condition.get("rexpr")
        return left is not None and right is not None and left.sql() == right.sql() != ""
    return False


def _is_shallow(condition: Tree) -> bool:
    """True when the arms of AND and OR can be followed by recursion without exhausting the stack."""
    depth, level = 0, [condition]
    while level and depth <= _FOLLOWED:
        level = [arm for item in level if item.tag == "BoolExpr" for arm in item.each("args")]
        depth += 1
    return depth <= _FOLLOWED

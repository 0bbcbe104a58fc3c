"""data-overwritten: old values go that no rollback script can bring back."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change, Verb
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Name
from checks.names import derived, sibling
from checks.rules._seen import is_new
from checks.tree import Tree

_STATEMENTS = {"UpdateStmt": Verb.UPDATE, "DeleteStmt": Verb.DELETE, "MergeStmt": Verb.MERGE}


def _judge(context: Context) -> Iterator[Hit]:
    saved: set[Name] = set()
    for seen in context.seen:
        for change in seen.statement.changes:
            overwrites = change.verb in _STATEMENTS.values() or (change.verb is Verb.INSERT and change.detail)
            if not overwrites or is_new(seen, change.table) or seen.before.place(change.table) in saved:
                continue
            if not _only_fills(seen.statement.tree):
                yield Hit(seen.statement, _message(change), _rewrite(seen, change), change.offset)
        if _copies(seen):
            saved.update(seen.before.place(name) for name in seen.statement.relations)


def _message(change: Change) -> str:
    if change.verb is Verb.DELETE:
        return (
            f"The rows that this DELETE removes from {change.table} are kept nowhere: a rollback cannot restore them."
        )
    return f"The values that are overwritten in {change.table} are kept nowhere: a rollback cannot bring them back."


def _copies(seen: Seen) -> bool:
    """True for a statement that puts rows of one table into another: the old values are kept."""
    made = any(one.verb in {Verb.CREATE_TABLE, Verb.INSERT} for one in seen.statement.changes)
    return made and len(seen.statement.relations) > 1


def _only_fills(tree: Tree) -> bool:
    """True for an UPDATE that sets only columns which its WHERE says are null: nothing is lost."""
    if tree.tag != "UpdateStmt":
        return False
    return {target.text("name") for target in tree.each("targetList")} <= set(_nulls(tree, tree.relation()))


def _nulls(query: Tree, table: str, *, inside: bool = False) -> Iterator[str]:
    """Yield the columns that must be null by a WHERE; also where a batch is chosen: IN (SELECT … WHERE … IS NULL)."""
    for arm in _arms(query.get("whereClause")):
        tested = arm.get("arg") if arm.enum("nulltesttype") == "IS_NULL" else None
        if tested is not None and tested.tag == "ColumnRef":
            yield tested.each("fields")[-1].text("sval")
        chosen = arm.get("subselect") if arm.enum("subLinkType") == "ANY_SUBLINK" and not inside else None
        if chosen is not None and [one.range_name() for one in chosen.each("fromClause")] == [table]:
            yield from _nulls(chosen, table, inside=True)


def _arms(condition: Tree | None) -> tuple[Tree, ...]:
    """Return what AND combines in a condition."""
    if condition is None:
        return ()
    is_and = condition.tag == "BoolExpr" and condition.enum("boolop") == "AND_EXPR"
    return condition.each("args") if is_and else (condition,)


def _rewrite(seen: Seen, change: Change) -> str:
    """Return a statement that keeps the old rows, then the one that changes them."""
    tree = seen.statement.tree
    condition = tree.get("whereClause")
    simple = tree.tag in _STATEMENTS and not tree.each("fromClause") and not tree.each("usingClause")
    if condition is None or not simple or tree.get("withClause") or not condition.sql():
        return ""
    kept = sibling(change.table, derived(change.table, "before"))
    relation = tree.get("relation")
    alias = relation.get("alias") if relation else None
    source = f"{change.table} AS {alias.text('aliasname')}" if alias else change.table
    copy = f"CREATE TABLE {kept} AS SELECT * FROM {source} WHERE {condition.sql()};"  # noqa: S608 - for a person to read
    return f"-- in the same transaction; drop the copy when nobody needs the way back\n{copy}\n{seen.statement.sql};"


RULE = Rule(
    code="data-overwritten",
    title="Old values are kept nowhere",
    severity=Severity.NOTE,
    group=Group.DATA,
    why="A rollback script can change the rows again, but it does not know what was there.",
    blocks="Nothing more than the change itself.",
    help="Copy the rows into a table of their own in the same transaction, or declare the loss: -- locktender: "
    "irreversible TABLE.COLUMN: reason.",
    source="PostgreSQL manual, section 13.1 Introduction to MVCC: old versions are not kept",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, status text);",
    bad="UPDATE orders SET status = 'closed' WHERE status = 'done';",
    good="UPDATE orders SET status = 'open' WHERE id < 10000 AND status IS NULL;",
)

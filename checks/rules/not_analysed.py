"""not-analysed: code or a statement of which nothing can be told from the text."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.words import listed

# Rules of their own say what these do.
_TOLD = frozenset({
    "CreateRoleStmt", "AlterRoleStmt", "AlterRoleSetStmt", "DropRoleStmt", "GrantRoleStmt", "ReassignOwnedStmt",
    "DropOwnedStmt", "DropdbStmt", "CreateSubscriptionStmt", "AlterSubscriptionStmt", "DropSubscriptionStmt",
    "AlterTableMoveAllStmt", "AlterExtensionStmt", "AlterSystemStmt", "CreatedbStmt", "AlterDatabaseStmt",
    "CreateTableSpaceStmt", "DropTableSpaceStmt",
})  # fmt: skip
# The same, of what the effects do not know: triggers-not-analysed, column-default-volatile, table-rewritten and the
# rules about what is dropped.
_TOLD_ELSEWHERE = ("what the trigger", "what the rule", "whether ", "which tables were clustered", "what uses the ext")
_CODE = frozenset({"DoStmt", "CallStmt"})


def _judge(context: Context) -> Iterator[Hit]:
    for seen in context.seen:
        if seen.statement.tree.tag not in _TOLD and (what := _unknown(seen)):
            yield Hit(seen.statement, f"Not analysed: {listed(what)}. What it locks and changes is not known.")


def _unknown(seen: Seen) -> list[str]:
    """Return what is not known of a statement, in words; what it is made of once."""
    told = [one.detail for one in seen.statement.changes if one.verb in {Verb.PROCEDURE, Verb.UNKNOWN}]
    if seen.statement.tree.tag in _CODE:
        return [f"the body of {seen.statement.kind}"]
    unknown = [one for one in seen.effects.unknown if not one.startswith(_TOLD_ELSEWHERE)]
    return list(dict.fromkeys(told or unknown))


RULE = Rule(
    code="not-analysed",
    title="Not analysed",
    severity=Severity.WARNING,
    group=Group.DATA,
    why="A DO block, a procedure or a function is text to this check: it can lock, rewrite and delete, depending on "
    "data. The same holds for statements that are not known here. Unknown is never taken for safe.",
    blocks="Not known.",
    help="Write what it does as plain statements, which are analysed one by one. Where it must be code, say in "
    "notes.md what it locks, and look at the rehearsal, which measures it.",
    source="measured: 37 of 127 DO blocks of public histories take a lock that blocks writes",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, status text);",
    bad="DO $$ BEGIN UPDATE orders SET status = 'open' WHERE status IS NULL; END $$;",
    good="UPDATE orders SET status = 'open' WHERE status IS NULL;",
)

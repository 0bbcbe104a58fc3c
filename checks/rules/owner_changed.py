"""owner-changed: another role may alter and drop the object from the commit on."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import commands, is_new, offset_of, tagged
from checks.tree import Tree


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "AlterTableStmt", "AlterOwnerStmt"):
        what, owner = _changed(seen)
        if owner and not is_new(seen, what):
            yield Hit(
                seen.statement,
                f"From the commit on, {what or 'the object'} belongs to {owner}: who migrates may alter it only "
                "as a member of that one.",
                offset=offset_of(seen, "AT_ChangeOwner"),
            )


def _changed(seen: Seen) -> tuple[str, str]:
    tree = seen.statement.tree
    if tree.tag == "AlterOwnerStmt":
        return "", _role(tree.get("newowner"))
    command = next(commands(seen, "AT_ChangeOwner"), None)
    return (tree.relation(), _role(command.get("newowner"))) if command else ("", "")


def _role(owner: Tree | None) -> str:
    if owner is None:
        return ""
    return quote(owner.text("rolename")) if owner.text("rolename") else owner.enum("roletype").removeprefix("ROLESPEC_")


RULE = Rule(
    code="owner-changed",
    title="Owner changed",
    severity=Severity.NOTE,
    group=Group.OBJECTS,
    why="Only the owner may alter or drop a table, and its policies do not hold for the owner. The next migration "
    "fails when its role is no member of the new owner.",
    blocks="Reads and writes of the table, for a moment.",
    help="Set the owner of new objects once for the database, outside of migrations.",
    source="PostgreSQL manual, section 5.8 Privileges; lock measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="ALTER TABLE orders OWNER TO CURRENT_USER;",
    good="COMMENT ON TABLE orders IS 'One row for each order';",
)

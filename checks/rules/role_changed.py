"""role-changed: roles belong to all databases of a server, not to this one."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import tagged

_TAGS = ("CreateRoleStmt", "AlterRoleStmt", "AlterRoleSetStmt", "DropRoleStmt", "GrantRoleStmt", "ReassignOwnedStmt")


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, *_TAGS):
        secret = (
            " The password stands in the file, and in the log of the server."
            if seen.statement.tree.option("password") is not None
            else ""
        )
        yield Hit(seen.statement, f"{_words(seen)}, for every database of this server.{secret}")


def _words(seen: Seen) -> str:
    tree = seen.statement.tree
    name = quote(tree.text("role")) if tree.text("role") else ""
    if tree.tag == "GrantRoleStmt":
        return "This changes which roles may act as another"
    if tree.tag == "ReassignOwnedStmt":
        return "This gives everything that a role owns here, and shared objects, to another"
    return f"{seen.statement.kind} {name}".rstrip() + " changes who may sign in or what they may"


RULE = Rule(
    code="role-changed",
    title="Role or membership changed",
    severity=Severity.WARNING,
    group=Group.OBJECTS,
    why="Roles are shared by all databases of a server, and differ between environments. A backup of this database "
    "does not hold them, a rollback of another database meets them, and a copy in staging acts on the staging server.",
    blocks="Nothing.",
    help="Manage roles outside of migrations, where secrets are kept. In a migration grant privileges on objects to "
    "roles that are there.",
    source="PostgreSQL manual, chapter 21 Database Roles",
    judge=_judge,
    bad="CREATE ROLE reporting NOLOGIN;",
    good="CREATE TABLE reports (id bigint PRIMARY KEY);\nGRANT SELECT ON reports TO CURRENT_USER;",
)

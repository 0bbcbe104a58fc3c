"""privileges-revoked: running code loses a right that it may be using."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import is_new, tagged
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "GrantStmt"):
        tree = seen.statement.tree
        roles = [_role(one.enum("roletype"), one.text("rolename")) for one in tree.each("grantees")]
        tables = seen.statement.relations
        if tree.flag("is_grant") or (tables and all(is_new(seen, one) for one in tables)):
            continue
        if roles == ["PUBLIC"] and not tables:
            continue  # what everybody may by default, mostly EXECUTE of a new function: to take it away is advised
        what = listed(tables) if tables else "what is named"
        yield Hit(seen.statement, f"From the commit on, {listed(roles)} may no longer do this with {what}.")


def _role(kind: str, name: str) -> str:
    return quote(name) if name else kind.removeprefix("ROLESPEC_")


RULE = Rule(
    code="privileges-revoked",
    title="Privileges taken away",
    severity=Severity.WARNING,
    group=Group.OBJECTS,
    why="The next statement of running code that needs the right fails: also in functions, behind views, and in jobs "
    "that run once a month.",
    blocks="Nothing. What relied on the right fails.",
    help="Look who uses it: in the logs, and in pg_stat_statements. Take it away in a migration of its own, which the "
    "rollback grants again.",
    source="PostgreSQL manual, REVOKE",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="REVOKE INSERT ON orders FROM PUBLIC;",
    good="CREATE TABLE invoices (id bigint PRIMARY KEY);\nREVOKE ALL ON invoices FROM PUBLIC;",
)

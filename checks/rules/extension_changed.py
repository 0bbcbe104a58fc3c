"""extension-changed: code that comes from the server's disk, in the version that lies there."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.names import quote
from checks.rules._seen import tagged

_QUERY = "SELECT name, default_version, installed_version\nFROM pg_available_extensions\nWHERE name = '{}';"


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "CreateExtensionStmt", "AlterExtensionStmt"):
        tree = seen.statement.tree
        name = tree.text("extname")
        if tree.tag == "CreateExtensionStmt":
            told = f"{quote(name)} must be there on the disk of every server, replicas included."
        else:
            told = f"The update of {quote(name)} runs its own scripts: what they lock and change is not known here."
        literal = name.replace("'", "''")
        yield Hit(seen.statement, told, f"-- on the target, before\n{_QUERY.format(literal)}")


RULE = Rule(
    code="extension-changed",
    title="Extension created or updated",
    severity=Severity.NOTE,
    group=Group.OBJECTS,
    why="The extension is not in the migration: its scripts and libraries lie on the server, in another version on "
    "each. Many may be created only by a superuser, or only where the provider allows them.",
    blocks="CREATE EXTENSION: nothing. ALTER EXTENSION UPDATE: what its scripts lock.",
    help="Look into pg_available_extensions on every target first. Name the VERSION. Have a superuser create it "
    "before the release where the migrating role may not.",
    source="PostgreSQL manual, CREATE EXTENSION; section 36.17 Packaging Related Objects into an Extension",
    judge=_judge,
    bad="CREATE EXTENSION IF NOT EXISTS plpgsql;",
    good="SELECT name FROM pg_available_extensions WHERE name = 'plpgsql';",
)

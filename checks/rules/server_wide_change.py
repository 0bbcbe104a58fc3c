"""server-wide-change: databases, tablespaces and settings that belong to the server, not to the plan's database."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import tagged, unless_strict

SERVER_WIDE = {
    "AlterSystemStmt": "changes a setting of the whole server",
    "CreatedbStmt": "makes another database",
    "DropdbStmt": "drops a whole database",
    "CreateTableSpaceStmt": "makes a place for files of the whole server",
    "DropTableSpaceStmt": "drops a place for files of the whole server",
}


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, *SERVER_WIDE, "AlterDatabaseStmt"):
        statement = seen.statement
        what = SERVER_WIDE.get(statement.tree.tag, "moves every file of a database, which nobody may be connected to")
        if statement.outside_transaction:
            told = f"{statement.kind} {what}. No rollback undoes it, and the backup before the migration lacks it."
            yield Hit(statement, told, severity=unless_strict(context))


RULE = Rule(
    code="server-wide-change",
    title="Change of the whole server",
    severity=Severity.BLOCKING,
    group=Group.SCRIPT,
    why="A migration is about one database: its plan names it, its backup holds it, its lock keeps others out of it. "
    "What belongs to the server reaches every database there, and is neither in the backup nor undone with it.",
    blocks="Nothing that is read or written, but ALTER DATABASE SET TABLESPACE: nobody may be connected meanwhile.",
    help="Do it where the server is administered. An environment whose policy says strict_scripts = false runs it.",
    source="PostgreSQL manual, ALTER SYSTEM, CREATE DATABASE, CREATE TABLESPACE",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="ALTER SYSTEM RESET work_mem;",
    good="ALTER TABLE orders SET (fillfactor = 80);",
)

"""table-rewritten: a table is copied as a whole while nobody can use it, and no column is the reason."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.rules._seen import commands, does, offset_of, tagged

_WORDS = {
    "AT_SetLogged": "SET LOGGED",
    "AT_SetUnLogged": "SET UNLOGGED",
    "AT_SetTableSpace": "SET TABLESPACE",
    "AT_SetAccessMethod": "SET ACCESS METHOD",
}


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "AlterTableStmt", "AlterTableMoveAllStmt", "ClusterStmt", "VacuumStmt"):
        if not (words := _form(seen)):
            continue
        touched = [lock for lock in seen.effects.felt if does(lock, Work.REWRITE, Work.COPY)]
        lost = " After a crash it is empty: an unlogged table is not recovered." if words == "SET UNLOGGED" else ""
        for lock in touched:
            told = f"{words} copies all of {lock.relation}; until then nobody can read or write {lock.relation}."
            yield Hit(seen.statement, told + lost, offset=offset_of(seen, *_WORDS))
        if not touched and (seen.effects.unknown or seen.effects.untold):
            yield Hit(seen.statement, f"{words} copies tables that are not named here; nobody can read or write them.")


def _form(seen: Seen) -> str:
    """Return what the statement is called when it is one of those that copy a table, else ""."""
    tree = seen.statement.tree
    if tree.tag == "VacuumStmt":
        return "VACUUM FULL" if tree.switched_on("full") else ""
    if tree.tag == "ClusterStmt":
        return "CLUSTER"
    if tree.tag == "AlterTableMoveAllStmt":
        return "ALL IN TABLESPACE"
    return next((_WORDS[one.enum("subtype")] for one in commands(seen, *_WORDS)), "")


RULE = Rule(
    code="table-rewritten",
    title="Table copied as a whole",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="SET LOGGED, SET UNLOGGED, SET TABLESPACE, SET ACCESS METHOD, CLUSTER and VACUUM FULL write every row and "
    "every index anew under ACCESS EXCLUSIVE. It takes the space of the table a second time, and every byte goes to "
    "replicas.",
    blocks="Reads and writes of the table, from beginning to end.",
    help="Do it in a window in which nobody uses the table, or use a tool that copies it beside and swaps, such as "
    "pg_repack. Plain VACUUM stops the growth and blocks nobody.",
    source="PostgreSQL manual, ALTER TABLE: Notes; CLUSTER; VACUUM; rewrites measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY);",
    bad="ALTER TABLE orders SET UNLOGGED;",
    good="ALTER TABLE orders SET (fillfactor = 80);",
)

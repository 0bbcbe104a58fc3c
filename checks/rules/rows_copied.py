"""rows-copied: one statement reads a table that is in use and writes its rows into another."""

from __future__ import annotations

from collections.abc import Iterator

from checks.batching.plain import suggested
from checks.changes import Verb
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import is_new, tagged
from checks.words import listed


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "InsertStmt", "CreateTableAsStmt", "SelectStmt"):
        written = {one.table for one in seen.statement.changes if one.verb in {Verb.INSERT, Verb.CREATE_TABLE}}
        read = [name for name in seen.statement.relations if name not in written and not is_new(seen, name)]
        if read and written and _is_query(seen) and seen.statement.batch is None:
            comment = suggested(seen)
            yield Hit(
                seen.statement,
                f"This copies rows of {listed(read)} in one transaction; vacuum cannot clean up behind it until it "
                "ends.",
                f"{comment}\n{seen.statement.sql};" if comment else "",
            )


def _is_query(seen: Seen) -> bool:
    tree = seen.statement.tree
    into = tree.get("into")
    if tree.tag == "SelectStmt":
        return tree.get("intoClause") is not None
    if into is not None and into.flag("skipData"):
        return False
    query = tree.get("query" if tree.tag == "CreateTableAsStmt" else "selectStmt")
    return query is not None and not query.each("valuesLists")


RULE = Rule(
    code="rows-copied",
    title="Rows copied in one statement",
    severity=Severity.NOTE,
    group=Group.DATA,
    why="Nobody waits for a copy, but while it runs the rows that others delete or update cannot be cleaned up "
    "anywhere in the database, and replicas receive it in one piece. Rows that change meanwhile are copied as they "
    "were.",
    blocks="Nothing.",
    help="Have it copied in batches by key, each in its own transaction: -- locktender: batch table=TABLE key=COLUMN "
    "size=ROWS. What changes meanwhile needs a trigger or a second pass.",
    source="PostgreSQL manual, section 24.1.2 Recovering Disk Space",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, status text);\nCREATE TABLE closed (id bigint PRIMARY KEY);",
    bad="INSERT INTO closed SELECT id FROM orders WHERE status = 'closed';",
    good="INSERT INTO closed VALUES (1), (2);",
)

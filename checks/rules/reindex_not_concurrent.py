"""reindex-not-concurrent: indexes of a table in use are built again while its users wait."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.rules._seen import does, tagged
from checks.words import listed

_WHOLE = {"REINDEX_OBJECT_SCHEMA": "SCHEMA", "REINDEX_OBJECT_SYSTEM": "SYSTEM", "REINDEX_OBJECT_DATABASE": "DATABASE"}


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "ReindexStmt"):
        tree = seen.statement.tree
        if tree.switched_on("concurrently", among="params"):
            continue
        whole = _WHOLE.get(tree.enum("kind"), "")
        tables = [str(lock.relation) for lock in seen.effects.felt if does(lock, Work.BUILD)]
        if not whole and not tables and seen.before.is_complete:
            continue
        where = "every table in it" if whole else listed(tables) or "the table"
        yield Hit(
            seen.statement,
            f"{seen.statement.kind} builds indexes again under SHARE on {where} and ACCESS EXCLUSIVE on each index: "
            "writes wait, and so does every query that has to be planned.",
            _rewrite(tree.enum("kind").rpartition("_")[2], tree.relation() or seen.statement.changes[0].name),
        )


def _rewrite(kind: str, name: str) -> str:
    # The system's own indexes cannot be built again concurrently.
    return f"-- alone in its file\nREINDEX {kind} CONCURRENTLY {name};" if name and kind != "SYSTEM" else ""


RULE = Rule(
    code="reindex-not-concurrent",
    title="REINDEX without CONCURRENTLY",
    severity=Severity.WARNING,
    group=Group.INDEXES,
    why="REINDEX takes only SHARE on the table, but ACCESS EXCLUSIVE on the index. To plan a query the server opens "
    "every index of its tables, so reads wait as well.",
    blocks="Writes to the table, and reads that are planned meanwhile.",
    help="Use REINDEX … CONCURRENTLY, by hand and outside of a migration: it is maintenance, not a change of schema.",
    source="PostgreSQL manual, REINDEX: Rebuilding Indexes Concurrently; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, note text);\nCREATE INDEX orders_note_idx ON orders (note);",
    bad="REINDEX TABLE orders;",
    good="REINDEX TABLE CONCURRENTLY orders;",
)

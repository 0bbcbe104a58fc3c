"""index-concurrently-if-not-exists: IF NOT EXISTS is satisfied by the broken index of a failed attempt."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.finding import Hit, Rule, Severity
from checks.names import qualified
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.CREATE_INDEX_CONCURRENTLY and change.if_not_exists:
                wanted = statement.concurrent_index
                index = qualified(wanted.schema, wanted.name) if wanted else change.name
                create = change.definition.replace("IF NOT EXISTS ", "", 1)
                yield Hit(
                    statement,
                    f"If an earlier build of {change.name} failed, its INVALID leftover exists: this statement then "
                    "does nothing, and reports success.",
                    f"DROP INDEX CONCURRENTLY IF EXISTS {index};\n{create};" if create else "",
                )


RULE = Rule(
    code="index-concurrently-if-not-exists",
    title="CONCURRENTLY together with IF NOT EXISTS",
    severity=Severity.WARNING,
    why="A concurrent build that fails leaves an INVALID index behind. It costs every write and helps no read, and "
    "IF NOT EXISTS takes it for the index that was wanted.",
    help="Drop the leftover first, then create without IF NOT EXISTS. First make sure that no valid index of that "
    "name is in use.",
    judge=_judge,
    bad="CREATE INDEX CONCURRENTLY IF NOT EXISTS orders_note_idx ON orders (note);",
    good="DROP INDEX CONCURRENTLY IF EXISTS orders_note_idx;\n"
    "CREATE INDEX CONCURRENTLY orders_note_idx ON orders (note);",
)

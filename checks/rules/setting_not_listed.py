"""setting-not-listed: a setting is changed of which nobody has said that it does no harm."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Verb
from checks.finding import Hit, Rule, Severity
from checks.statements import Script


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is Verb.SETTING_UNKNOWN:
                yield Hit(
                    statement,
                    f"{change.name} is not on the list of settings that a script may change without harm.",
                    offset=change.offset,
                )


RULE = Rule(
    code="setting-not-listed",
    title="Setting that is not known to be harmless",
    severity=Severity.WARNING,
    why="Some settings lose data without a word (zero_damaged_pages), make a commit forgettable (synchronous_commit), "
    "change what the rest of the script means (standard_conforming_strings), or hide the runner's own session.",
    help="Remove it, or set it for the role or the database, where it is seen and can be undone.",
    judge=_judge,
    bad="SET zero_damaged_pages = on;\nSELECT count(*) FROM orders;",
    good="SET LOCAL maintenance_work_mem = '1GB';\nALTER TABLE orders VALIDATE CONSTRAINT orders_total_check;",
)

"""column-renamed: code that runs while the migration is applied still uses the old name."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change, Verb
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.model import Kind
from checks.names import parts, unqualified
from checks.recipes import column_behind_view, kept_names


def _judge(context: Context) -> Iterator[Hit]:
    kept = kept_names(context)
    given_up: set[tuple[str, str]] = set()
    for seen in context.seen:
        for change in seen.statement.changes:
            if change.verb is not Verb.RENAME_COLUMN or (seen.statement.index, change) in kept:
                continue
            table = seen.before.place(change.table)
            after = context.after.relations.get(table)
            # Put in the place of another column: the name is there again when the transaction ends.
            is_there = context.is_one_transaction and after is not None and unqualified(change.name) in after.columns
            # The column that takes the other one's place was made for that: nobody but its trigger knows its name.
            takes_a_place = (change.table, change.detail) in given_up
            given_up.add((change.table, change.name))
            if seen.before.is_new(table) or is_there or takes_a_place:
                continue
            yield Hit(
                seen.statement,
                f"From this moment on, running code that names {change.name} of {change.table} fails.",
                _rewrite(context, seen, change),
            )


def _rewrite(context: Context, seen: Seen, change: Change) -> str:
    """Return the renaming behind a view, or "" where a view cannot stand for the relation."""
    found = seen.before.find(change.table)
    if found is not None and found.kind not in {Kind.TABLE, Kind.PARTITIONED}:
        return ""
    table = change.table if len(parts(change.table)) > 1 else str(seen.before.place(change.table))
    return column_behind_view(table, change.name, change.detail, version=context.world.version)


RULE = Rule(
    code="column-renamed",
    title="Column renamed without an alias",
    severity=Severity.WARNING,
    group=Group.COLUMNS,
    why="Old and new application versions run side by side during a release. Whichever name the column has, one of "
    "them fails. The rollback has the same gap.",
    blocks="Reads and writes of the table, for an instant once the lock is had. What breaks is the code.",
    help="Keep the old name alive until no running version uses it: a view in the table's place, or a second column "
    "kept equal by a trigger.",
    source="PostgreSQL manual, CREATE VIEW, Updatable Views; lock measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, total numeric);",
    bad="ALTER TABLE orders RENAME COLUMN total TO total_amount;",
    good="ALTER TABLE orders RENAME TO orders_base;\n"
    "ALTER TABLE orders_base RENAME COLUMN total TO total_amount;\n"
    "CREATE VIEW orders AS SELECT *, total_amount AS total FROM orders_base;",
)

"""primary-key-scan: a PRIMARY KEY takes over an index, but still looks for nulls in every row."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added_constraints import AddedConstraint, constraints_added
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Work
from checks.names import quote
from checks.recipes.constraints import not_null
from checks.recipes.files import File, in_files


def _judge(context: Context) -> Iterator[Hit]:
    for added in constraints_added(context, "CONSTR_PRIMARY"):
        command, index = added.command, added.tree.text("indexname")
        if not index or not command.may(Work.SCAN):
            continue
        columns = _nullable(added, index)
        which = f"{' and '.join(map(quote, columns))} can be null" if columns else "its columns may be null"
        yield Hit(
            command.statement,
            f"The index {quote(index)} is there, but {which}: every row of {command.sql_table} is looked at; "
            f"{command.until}.",
            _rewrite(added, columns),
            command.offset,
        )


def _nullable(added: AddedConstraint, index: str) -> list[str]:
    table = added.command.relation
    found = table.indexes.get(index) if table else None
    if table is None or found is None:
        return []
    return [one for one in found.columns if one in table.columns and table.columns[one].is_nullable]


def _rewrite(added: AddedConstraint, columns: list[str]) -> str:
    if not columns:
        return ""
    whole = File(f"ALTER TABLE {added.command.sql_table} ADD {added.tree.sql()};")
    return in_files([*not_null(added.command, *columns), whole])


RULE = Rule(
    code="primary-key-scan",
    title="PRIMARY KEY USING INDEX looks for nulls",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="A primary key makes its columns NOT NULL. If they are not so already, every row is read under ACCESS "
    "EXCLUSIVE, although the index was built before.",
    blocks="Reads and writes of the table, as long as the scan takes.",
    help="Make the columns NOT NULL first, by a constraint that is NOT VALID and then validated. After that the key "
    "takes an instant.",
    source="PostgreSQL manual, ALTER TABLE, ADD table_constraint_using_index; measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE events (id bigint, seen_at timestamptz);\n"
    "CREATE UNIQUE INDEX events_id_key ON events (id);\n"
    "INSERT INTO events VALUES (1, now());",
    bad="ALTER TABLE events ADD CONSTRAINT events_pkey PRIMARY KEY USING INDEX events_id_key;",
    good="ALTER TABLE events ADD CONSTRAINT events_id_key UNIQUE USING INDEX events_id_key;",
)

"""foreign-key-scan: a foreign key that looks up every row while it is added."""

from __future__ import annotations

from collections.abc import Iterator

from checks.alterations.added_constraints import AddedConstraint, constraints_added
from checks.alterations.commands import Command
from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Lock, Work
from checks.names import quote
from checks.recipes.constraints import not_valid_first
from checks.recipes.files import in_files, new_constraint

_PARTITIONED_NOT_VALID = 18  # before, a partitioned table cannot have a foreign key that is NOT VALID


def _judge(context: Context) -> Iterator[Hit]:
    for added in constraints_added(context, "CONSTR_FOREIGN"):
        command = added.command
        if command.may(Work.KEY_CHECK):
            yield Hit(
                command.statement,
                f"Adding {added.subject} checks every row of {command.sql_table} against "
                f"{added.tree.relation('pktable')}; {command.until}.",
                _rewrite(added),
                command.offset,
            )
    yield from _on_filled(context)
    for command in context.commands:
        if command.kind == "AT_AlterConstraint" and command.may(Work.KEY_CHECK):
            yield Hit(
                command.statement,
                f"Enforcing {_altered(command)} checks every row of {command.sql_table}; {command.until}.",
                offset=command.offset,
            )


def _on_filled(context: Context) -> Iterator[Hit]:
    """A table that the script itself made and filled: nobody waits for it, but for the one that it refers to."""
    for seen in context.seen:
        for command in seen.commands if any(one.has_rows for one in seen.effects.locks) else ():
            tree = command.definition if command.kind == "AT_AddConstraint" and command.is_on_new_table else None
            locks = [
                one
                for one in command.effects.locks
                if one.has_rows and not _is_counted(one, command)
                and Work.KEY_CHECK in one.work | one.maybe
            ]  # fmt: skip
            if tree is not None and tree.enum("contype") == "CONSTR_FOREIGN" and locks and command.effects.felt:
                added = AddedConstraint(command, tree)
                yield Hit(
                    command.statement,
                    f"Adding {added.subject} checks every row that this script has put into {command.sql_table} "
                    f"against {tree.relation('pktable')}; {command.until}.",
                    "",
                    command.offset,
                )


def _is_counted(lock: Lock, command: Command) -> bool:
    """True when the rows are few, and stand in the script."""
    found = command.before.relations.get(lock.relation)
    return found is not None and found.size is not None


def _altered(command: Command) -> str:
    return quote(command.definition.text("conname")) if command.definition else "the foreign key"


def _rewrite(added: AddedConstraint) -> str:
    command = added.command
    if added.is_on_partitioned and command.version < _PARTITIONED_NOT_VALID:
        return ""
    name = added.name or new_constraint(command, added.columns, "fkey")
    return in_files(not_valid_first(command.sql_table, name, added.definition))


RULE = Rule(
    code="foreign-key-scan",
    title="Foreign key checked while it is added",
    severity=Severity.WARNING,
    group=Group.CONSTRAINTS,
    why="Every row of the table is looked up in the other one while SHARE ROW EXCLUSIVE is held on both. Many tools "
    "name only the first table; the other one is often the busier.",
    blocks="Writes to both tables, as long as the check takes. Reads go on.",
    help="Add it as NOT VALID: new rows are checked from then on, and it takes an instant. Validate it in a later "
    "transaction, which blocks neither reads nor writes. Before PostgreSQL 18 a partitioned table cannot have one that "
    "is NOT VALID: add and validate it on each partition first, then on the table, which takes those over.",
    source="PostgreSQL manual, ALTER TABLE, ADD table_constraint; locks on both tables measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE users (id bigint PRIMARY KEY);\n"
    "CREATE TABLE ledger (id bigint PRIMARY KEY, user_id bigint);\n"
    "CREATE INDEX ledger_user_idx ON ledger (user_id);\n"
    "INSERT INTO users VALUES (1);\n"
    "INSERT INTO ledger VALUES (1, 1);",
    bad="ALTER TABLE ledger ADD CONSTRAINT ledger_user_fk FOREIGN KEY (user_id) REFERENCES users (id);",
    good="ALTER TABLE ledger ADD CONSTRAINT ledger_user_fk FOREIGN KEY (user_id) REFERENCES users (id) NOT VALID;",
)

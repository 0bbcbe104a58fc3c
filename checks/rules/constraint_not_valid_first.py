"""constraint-not-valid-first: a constraint that checks or indexes every row while others wait."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change, Verb
from checks.finding import Hit, Rule, Severity
from checks.names import derived, unqualified
from checks.statements import Script

_LOCKED = {
    "FOREIGN KEY": "writes to both tables wait",
    "CHECK": "nobody can read or write the table",
    "NOT NULL": "nobody can read or write the table",
}

_SUFFIXES = {"FOREIGN KEY": "fkey", "CHECK": "check", "NOT NULL": "not_null"}


def _judge(script: Script) -> Iterator[Hit]:
    for statement in script.statements:
        for change in statement.changes:
            if change.verb is not Verb.ADD_CONSTRAINT or statement.is_new(change.table):
                continue
            # A foreign key inside ADD COLUMN finds only nulls: nothing to check.
            if change.inline and change.constraint == "FOREIGN KEY":
                continue
            if change.from_index:
                continue  # the index is there; what a primary key still does is found by set-not-null-scan
            locked = _LOCKED.get(change.constraint)
            what = "checks every row" if locked else "builds an index"
            yield Hit(
                statement,
                f"Adding {change.constraint} {change.name or 'without a name'} {what} of {change.table} while "
                f"{locked or 'nobody can read or write the table'}.",
                _rewrite(change),
                change.offset,
            )


def _rewrite(change: Change) -> str:
    if change.inline or not change.definition:
        return ""
    table, columns = change.table, map(unqualified, change.columns)
    if change.constraint in {"UNIQUE", "PRIMARY KEY"}:
        plain = f"{change.constraint} ({', '.join(change.columns)})"
        if change.definition not in {plain, f"CONSTRAINT {change.name} {plain}"}:
            return ""  # INCLUDE, NULLS NOT DISTINCT, DEFERRABLE …: an index without them would be another one
        suffix = ("pkey",) if change.constraint == "PRIMARY KEY" else (*columns, "key")
        name = change.name or derived(table, *suffix)
        head = (
            f"-- file 1, without a transaction\n"
            f"CREATE UNIQUE INDEX CONCURRENTLY {name} ON {table} ({', '.join(change.columns)});\n"
        )
        tail = f"ALTER TABLE {table} ADD CONSTRAINT {name} {change.constraint} USING INDEX {name};"
        if change.constraint == "UNIQUE":
            return f"{head}-- file 2\n{tail}"
        # A primary key sets NOT NULL, which would read the whole table under its lock if nothing proved it before.
        checks = [(column, derived(column, "not_null")) for column in change.columns]
        added = [f"ADD CONSTRAINT {check} CHECK ({column} IS NOT NULL) NOT VALID" for column, check in checks]
        validated = [f"ALTER TABLE {table} VALIDATE CONSTRAINT {check};\n" for _, check in checks]
        required = [f"ALTER COLUMN {column} SET NOT NULL" for column, _ in checks]
        dropped = [f"DROP CONSTRAINT {check}" for _, check in checks]
        return (
            f"{head}-- file 2\nALTER TABLE {table} {', '.join(added)};\n-- file 3\n{''.join(validated)}"
            f"ALTER TABLE {table} {', '.join(required)};\n{tail}\nALTER TABLE {table} {', '.join(dropped)};"
        )
    if change.constraint not in _LOCKED:
        return ""
    name = change.name or derived(table, *columns, _SUFFIXES[change.constraint])
    definition = change.definition if change.name else f"CONSTRAINT {name} {change.definition}"
    return (
        f"-- file 1\nALTER TABLE {table} ADD {definition} NOT VALID;\n"
        f"-- file 2\nALTER TABLE {table} VALIDATE CONSTRAINT {name};"
    )


RULE = Rule(
    code="constraint-not-valid-first",
    title="Constraint checked while it is added",
    severity=Severity.WARNING,
    why="A CHECK or foreign key is checked against every existing row while the lock is held; UNIQUE and PRIMARY KEY "
    "build their index under it.",
    help="Add it NOT VALID, which takes no time, and validate it in a later transaction, which blocks nobody. For "
    "UNIQUE and PRIMARY KEY build the index CONCURRENTLY first, then add the constraint USING INDEX.",
    judge=_judge,
    bad="ALTER TABLE orders ADD CONSTRAINT orders_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id);",
    good="ALTER TABLE orders ADD CONSTRAINT orders_customer_fk FOREIGN KEY (customer_id) REFERENCES customers (id) "
    "NOT VALID;",
)

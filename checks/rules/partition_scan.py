"""partition-scan: a new partition makes the server read a whole table under an exclusive lock."""

from __future__ import annotations

import re
from collections.abc import Iterator

from checks.alterations.commands import either
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Lock, Work
from checks.model import ConstraintKind, Name, Relation
from checks.names import derived
from checks.rules._seen import commands, does, tagged
from checks.tree import Tree
from checks.words import listed

_CAST = re.compile(
    r'::"?\w+"?(?: with(?:out)? time zone| varying| precision)?(?:\(\d+(?:, ?\d+)?\))?(?: with(?:out)? time zone)?',
    re.IGNORECASE,
)
_KEY = re.compile(r'(RANGE|LIST) \((\w+|"(?:[^"]|"")+")\)', re.IGNORECASE)


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "AlterTableStmt", "CreateStmt"):
        if (bound := _bound(seen)) is None:
            continue
        parent = seen.before.find(_parent(seen))
        inside = _inside(bound, parent) if parent else ""
        read = {
            lock.relation: _wanted(seen, lock, inside)
            for lock in seen.effects.felt
            if does(lock, Work.SCAN) and not _is_proved(seen, lock, inside)
        }
        if read:
            attaches = seen.statement.tree.tag == "AlterTableStmt"
            closed = [str(name) for name in read]
            if parent is not None and not attaches and parent.name not in read:
                closed.insert(0, str(parent.name))  # a partition made in place locks the parent as well
            yield Hit(
                seen.statement,
                f"{'Attaching' if attaches else 'Creating'} the partition reads all of "
                f"{listed([str(name) for name in read])}; until then nobody can read or write "
                f"{either(closed)}.",
                _rewrite(seen, read) if inside else "",
            )


def _bound(seen: Seen) -> Tree | None:
    """Return the bound of the partition that a statement attaches or makes, or None when it does neither."""
    if seen.statement.tree.tag == "CreateStmt":
        return seen.statement.tree.get("partbound")
    attached = next((one.get("def_") for one in commands(seen, "AT_AttachPartition")), None)
    return attached.get("bound") if attached else None


def _parent(seen: Seen) -> str:
    tree = seen.statement.tree
    return next((one.range_name() for one in tree.each("inhRelations")), "") or tree.relation()


def _wanted(seen: Seen, lock: Lock, inside: str) -> str:
    """Return the CHECK that makes reading a table unnecessary: for the default partition, that nothing belongs out."""
    found = seen.before.relations.get(lock.relation)
    return f"NOT ({inside})" if found is not None and found.bound == "DEFAULT" else inside


def _is_proved(seen: Seen, lock: Lock, inside: str) -> bool:
    """True when a valid CHECK of the table says the same; what says it in other words is not recognised here."""
    table = seen.before.relations.get(lock.relation)
    if table is None or not inside or Work.SCAN in lock.work:
        return False
    wanted = _wanted(seen, lock, inside)
    checks = [one for one in table.constraints.values() if one.kind is ConstraintKind.CHECK and one.is_valid]
    return any(_arms(wanted) <= _arms(one.expression) for one in checks)


def _arms(condition: str) -> set[str]:
    """Return what AND combines, without the casts and brackets that the server adds when it writes a CHECK back."""
    if condition.lstrip("( ").upper().startswith("NOT"):
        return {_plain(condition)}
    return {_plain(arm) for arm in re.split(r"\bAND\b", condition)}


def _plain(condition: str) -> str:
    return re.sub(r"[\s()]", "", _CAST.sub("", condition)).lower()


def _rewrite(seen: Seen, read: dict[Name, str]) -> str:
    """Return the CHECKs that make the scan unnecessary, then the statement, then their end."""
    checks = [(name, derived(str(name), "bound"), words) for name, words in read.items()]
    added = [f"ALTER TABLE {name} ADD CONSTRAINT {check} CHECK ({words}) NOT VALID;" for name, check, words in checks]
    valid = [f"ALTER TABLE {name} VALIDATE CONSTRAINT {check};" for name, check, _ in checks]
    gone = [f"ALTER TABLE {name} DROP CONSTRAINT {check};" for name, check, _ in checks]
    last = [f"{seen.statement.sql};", *gone]
    return "\n".join(["-- file 1", *added, "-- file 2", *valid, "-- file 3", *last])


def _inside(bound: Tree, table: Relation) -> str:
    """Return the condition that a row of the partition satisfies; "" for a key of several columns, or by hash."""
    key = _KEY.fullmatch(table.partition_key.strip())
    if key is None or bound.flag("is_default"):
        return ""
    column = key[2]
    known = table.columns.get(column.strip('"'))
    present = f"{column} IS NOT NULL AND " if known is None or known.is_nullable else ""
    if key[1].upper() == "LIST":
        values = [one.sql() for one in bound.each("listdatums")]
        return f"{present}{column} IN ({', '.join(values)})" if values and "NULL" not in values else ""
    lower, upper = (bound.each(name) for name in ("lowerdatums", "upperdatums"))
    if len(lower) != 1 or len(upper) != 1:
        return ""
    limits = [f"{column} {sign} {side.sql()}" for sign, side in ((">=", lower[0]), ("<", upper[0])) if _is_value(side)]
    return present + " AND ".join(limits) if limits else ""


def _is_value(side: Tree) -> bool:
    return side.tag != "ColumnRef"  # MINVALUE and MAXVALUE come as the name of a column


RULE = Rule(
    code="partition-scan",
    title="Partition whose rows are read under an exclusive lock",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="ATTACH PARTITION reads the whole table to see that its rows belong there, under ACCESS EXCLUSIVE. Where "
    "there is a DEFAULT partition, that one is read as well, to see that none of its rows belong into the new one.",
    blocks="Reads and writes of the tables that are read, and of the parent where the partition is created in place.",
    help="Prove it before: a CHECK of the same condition, added NOT VALID and validated in a transaction of its own. "
    "On the DEFAULT partition the CHECK says the opposite. Drop the CHECKs afterwards.",
    source="PostgreSQL manual, ALTER TABLE: ATTACH PARTITION; locks and scans measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE events (at date NOT NULL) PARTITION BY RANGE (at);\n"
    "CREATE TABLE events_2026 (at date NOT NULL);",
    bad="ALTER TABLE events ATTACH PARTITION events_2026 FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');",
    good="ALTER TABLE events_2026 ADD CONSTRAINT events_2026_bound\n"
    "CHECK (at >= '2026-01-01' AND at < '2027-01-01') NOT VALID;",
)

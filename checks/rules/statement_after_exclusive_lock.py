"""statement-after-exclusive-lock: slow work while an earlier statement's lock is still held."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from checks.changes import Verb
from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.locks import Lock, Mode
from checks.model import Kind, Name
from checks.rules._seen import commands, is_new, with_first_names
from checks.statements import Script

_ROWS = frozenset({Verb.UPDATE, Verb.DELETE, Verb.MERGE, Verb.CHANGE_ALL_ROWS})
_CODE = frozenset({Verb.PROCEDURE, Verb.UNKNOWN})


def _judge(context: Context) -> Iterator[Hit]:
    if not context.is_one_transaction:
        return
    held: dict[Name, tuple[Lock, Seen]] = {}
    first: tuple[Seen, Lock, Seen, str] | None = None
    more = 0
    for seen, names in with_first_names(context):
        if held and (work := _slow(seen)):
            suffers = next((one for name, one in held.items() if _is_worse(one[0], seen, _now(name, names))), None)
            if first is not None:
                more += 1
            elif suffers is not None:
                first = (seen, *suffers, work)
        for lock in seen.effects.felt:
            name = names.get(lock.relation, lock.relation)
            found = seen.before.relations.get(lock.relation)
            if found is not None and found.kind is Kind.SEQUENCE:
                continue  # it stops nextval only
            if lock.mode >= Mode.SHARE_ROW_EXCLUSIVE and (name not in held or held[name][0].mode < lock.mode):
                held[name] = (lock, seen)
    if first is not None:
        slow, lock, holder, work = first
        verb = "read or write" if lock.mode.blocks_reads else "write to"
        yield Hit(
            slow.statement,
            f"{work} while {holder.statement.kind} of line {holder.statement.line} still holds {lock.mode.words}: "
            f"nobody can {verb} {lock.relation} until the transaction ends."
            + (
                f" {more} more slow statement{'s' if more > 1 else ''} follow{'' if more > 1 else 's'}." if more else ""
            ),
            _split(context.script, slow.statement.index),
        )


def _slow(seen: Seen) -> str:
    """Return in words what a statement does that takes time, or ""."""
    for lock in seen.effects.locks:
        if not lock.is_empty and (work := sorted(lock.work | lock.maybe)):
            return f"{seen.statement.kind} does its {work[0]} of {lock.relation}"
    for change in seen.statement.changes:
        if change.verb in _ROWS and not is_new(seen, change.table):
            return f"{seen.statement.kind} changes rows of {change.table}"
        if change.verb in _CODE and seen.effects.unknown:
            return f"{seen.statement.kind}, whose time is not known, runs"
        if change.verb in {Verb.INSERT, Verb.CREATE_TABLE} and (read := _copied(seen, change.table)):
            return f"{seen.statement.kind} copies rows of {read}"
    return ""


def _copied(seen: Seen, table: str) -> str:
    """Return a table in use that a statement copies rows from, or ""."""
    if seen.statement.tree.tag not in {"InsertStmt", "CreateTableAsStmt"}:
        return ""
    return next((one for one in seen.statement.relations if one != table and not is_new(seen, one)), "")


def _now(name: Name, names: Mapping[Name, Name]) -> Name:
    """Return what a table is called now that had this name before the script."""
    return next((now for now, before in names.items() if before == name), name)


def _is_worse(held: Lock, seen: Seen, name: Name) -> bool:
    """True when a lock held since before stops more people than the slow statement stops there by itself."""
    if any(commands(seen, "AT_ValidateConstraint")):
        return False  # the rule about validating in the same transaction says so
    own = seen.effects.on(name)
    return own is None or own.mode.blocked != held.mode.blocked


def _split(script: Script, at: int) -> str:
    parts = ("\n".join(f"{one.sql};" for one in group) for group in (script.statements[:at], script.statements[at:]))
    return "\n\n".join(f"-- file {number}\n{text}" for number, text in enumerate(parts, start=1))


RULE = Rule(
    code="statement-after-exclusive-lock",
    title="Slow work while a lock is held",
    severity=Severity.WARNING,
    group=Group.SCRIPT,
    why="A lock is held until the transaction ends, not until its statement does. A change of a moment, followed by "
    "work of minutes, stops everybody for minutes.",
    blocks="What the lock of the earlier statement blocks, for the time of everything that follows.",
    help="End the transaction before the slow work: put it into a migration of its own. What cannot be divided begins "
    "with the slow work, and takes the strong lock last.",
    source="PostgreSQL manual, section 13.3.1: a lock is normally held until the end of the transaction; measured",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, status text);\n"
    "CREATE TABLE users (id bigint PRIMARY KEY, n int);",
    bad="ALTER TABLE orders ADD COLUMN note text;\nUPDATE users SET n = 0 WHERE n IS NULL;",
    good="UPDATE users SET n = 0 WHERE n IS NULL;\nALTER TABLE orders ADD COLUMN note text;",
)

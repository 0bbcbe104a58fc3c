"""What several rules ask of a statement that was seen: its kind, what was there before, who waits for it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from checks.changes import Verb
from checks.context import Context, Seen
from checks.finding import Severity
from checks.locks import Lock, Work
from checks.model import Kind, Name, Relation, Schema
from checks.names import unqualified
from checks.tree import Tree


def unless_strict(context: Context) -> Severity | None:
    """Return the severity of what only a strict environment refuses; None where it does."""
    return None if context.world.is_strict else Severity.WARNING


def tagged(context: Context, *tags: str) -> Iterator[Seen]:
    """Yield the statements whose parse tree has one of these tags, in order."""
    return (seen for seen in context.seen if seen.statement.tree.tag in tags)


def commands(seen: Seen, *subtypes: str) -> Iterator[Tree]:
    """Yield the commands of an ALTER TABLE that are of one of these kinds; of another statement none."""
    if seen.statement.tree.tag != "AlterTableStmt":
        return iter(())
    return (one for one in seen.statement.tree.each("cmds") if one.enum("subtype") in subtypes)


def offset_of(seen: Seen, *subtypes: str) -> int:
    """Return where the first command of one of these kinds is, of several in one ALTER TABLE; else -1."""
    found = (one.offset for one in seen.commands if one.kind in subtypes) if len(seen.commands) > 1 else iter(())
    return next(found, -1)


def is_new(seen: Seen, name: str) -> bool:
    """True when the script itself made the relation of this name, as SQL: nobody else uses it yet."""
    return seen.before.is_new(seen.before.place(name))


def is_kind(seen: Seen, name: str, kind: Kind) -> bool:
    """True when the relation of this name, as SQL, is known and of this kind."""
    found = seen.before.find(name)
    return found is not None and found.kind is kind


def is_absent(seen: Seen, name: str) -> bool:
    """True when there is no relation of this name, as SQL: the schema is complete and does not have it."""
    return seen.before.is_complete and not seen.before.doubts and seen.before.find(name) is None


def does(lock: Lock, *work: Work) -> bool:
    """True when a statement does, or may do, one of these kinds of work where it holds a lock."""
    return not lock.work.isdisjoint(work) or not lock.maybe.isdisjoint(work)


def others(seen: Seen, *named: str) -> tuple[Lock, ...]:
    """Return the locks that somebody feels on relations other than the ones a statement names."""
    own = {seen.before.place(name) for name in named}
    return tuple(lock for lock in seen.effects.felt if lock.relation not in own)


def after(context: Context, seen: Seen) -> Schema:
    """Return the schema that a statement leaves behind."""
    following = seen.statement.index + 1
    return context.seen[following].before if following < len(context.seen) else context.after


def with_first_names(context: Context) -> Iterator[tuple[Seen, Mapping[Name, Name]]]:
    """Yield every statement with the names that tables had before the script renamed or moved them, by those of now."""
    first: dict[Name, Name] = {}
    for seen in context.seen:
        yield seen, first
        for change in seen.statement.changes:
            old = seen.before.place(change.table)
            if change.verb is Verb.RENAME_TABLE:
                first[Name(old.schema, unqualified(change.detail))] = first.get(old, old)
            elif change.verb is Verb.MOVE and change.table:
                first[Name(unqualified(change.detail), old.name)] = first.get(old, old)


def is_there_at_the_end(context: Context, seen: Seen, name: str) -> bool:
    """True when a relation of the name that a statement takes away is there again when the transaction ends."""
    return context.is_one_transaction and context.after.relations.get(seen.before.place(name)) is not None


def indexes_made(context: Context, seen: Seen) -> Relation | None:
    """Return the table of a CREATE INDEX as it is afterwards, or None where it is not known."""
    return after(context, seen).find(seen.statement.tree.relation())

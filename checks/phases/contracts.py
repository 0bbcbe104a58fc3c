"""Which migrations only take away what an earlier one made superfluous, and whether the time for that has come."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from checks.changes import Change, Verb
from checks.comments.directives import Kind, directives
from checks.model import Name, Schema
from checks.names import unqualified
from checks.phases.errors import (
    ApplicationUnknown,
    ExpandNotDeployed,
    ExpandNotSoaked,
    ExpandUnknown,
    OldApplicationRuns,
)
from checks.phases.triggers import Keeping, keeping
from checks.recipes import kept_names

if TYPE_CHECKING:
    from checks.context import Context

# A hash of a commit begins with a number too: what follows the numbers must be nothing, or set apart from them.
_VERSION = re.compile(r"v?(\d+(?:\.\d+)*)(?![\w.])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Contract:
    """A migration that takes away what `expand`, a migration before it, replaced.

    `after` is the last version of the application that uses what is taken away, or "" where nobody said. `words` says
    how it is known.
    """

    migration: str
    expand: str
    after: str
    words: str


@dataclass(frozen=True, slots=True)
class Applied:
    """What an environment has: since when each migration, None for one that is pending, and the application's version.

    `running` is None where the application does not tell it.
    """

    since: Mapping[str, datetime | None]
    running: str | None = None


def contracts_of(release: Iterable[tuple[str, Context]]) -> tuple[Contract, ...]:
    """Return the contracts among migrations, given in order by their names and contexts.

    A comment declares one: `-- locktender: contracts 20261101_expand_x after 2.6`. Recognised without a comment: a
    column is dropped that an earlier trigger keeps equal to another; a view is dropped that keeps an old name; a column
    becomes NOT NULL that an earlier migration added, and that no trigger fills.
    """
    history, found = _History(), dict[tuple[str, str], Contract]()
    for name, context in release:
        for one in (*_declared(name, context), *history.recognised(name, context)):
            found.setdefault((one.migration, one.expand), one)
        history.take(name, context)
    return tuple(found.values())


def require_ready(contracts: Sequence[Contract], applied: Applied, *, now: datetime, soak: timedelta) -> None:
    """Return when every contract may run now; otherwise raise what is missing first.

    `soak` is how long an expand must have been deployed. Raises ExpandUnknown, ExpandNotDeployed, ExpandNotSoaked,
    ApplicationUnknown or OldApplicationRuns.
    """
    for one in contracts:
        if one.expand not in applied.since:
            raise ExpandUnknown(migration=one.migration, expand=one.expand)
        since = applied.since[one.expand]
        if since is None:
            raise ExpandNotDeployed(migration=one.migration, expand=one.expand, why=one.words)
        if now - since < soak:
            raise ExpandNotSoaked(migration=one.migration, expand=one.expand, ready_at=since + soak)
        if one.after:
            _require_newer(one, applied.running)


def _require_newer(contract: Contract, running: str | None) -> None:
    last, now = _version(contract.after), _version(running or "")
    if last is None or now is None:
        raise ApplicationUnknown(migration=contract.migration, after=contract.after, running=running)
    # 2.6.1 is a 2.6: only as many numbers are compared as the author wrote.
    if (*now, *(0 for _ in last))[: len(last)] <= last:
        raise OldApplicationRuns(migration=contract.migration, after=contract.after, running=running or "")


def _version(text: str) -> tuple[int, ...] | None:
    found = _VERSION.match(text.strip())
    return tuple(int(one) for one in found[1].split(".")) if found else None


def _declared(name: str, context: Context) -> Iterator[Contract]:
    for one in directives(context.script):
        if one.kind is Kind.CONTRACTS:
            yield Contract(name, one.argument, one.reason, f"line {one.line} declares it")


@dataclass(slots=True)
class _History:
    """What the migrations so far made, each with the migration that made it."""

    functions: dict[Name, Keeping | None] = field(default_factory=dict)
    kept: dict[Name, list[tuple[str, Keeping]]] = field(default_factory=dict)  # by table
    views: dict[Name, str] = field(default_factory=dict)
    columns: dict[tuple[Name, str], str] = field(default_factory=dict)

    def take(self, migration: str, context: Context) -> None:
        """Take in a migration."""
        for seen in context.seen:
            tree, before = seen.statement.tree, seen.before
            if tree.tag == "CreateFunctionStmt":
                self.functions[before.place(tree.dotted("funcname"))] = keeping(tree)
            elif tree.tag == "CreateTrigStmt":
                function = self.functions.get(before.place(tree.dotted("funcname")))
                if function is not None:
                    self.kept.setdefault(before.place(tree.relation()), []).append((migration, function))
            for change in seen.statement.changes:
                place = before.place(change.table)
                if change.verb in {Verb.ADD_COLUMN, Verb.ADD_COLUMN_HARD}:
                    self.columns[place, unqualified(change.name)] = migration
                elif change.verb in {Verb.DROP_TABLE, Verb.CREATE_TABLE}:
                    self.columns = {key: by for key, by in self.columns.items() if key[0] != place}
        kept = kept_names(context)
        for index, change in kept:
            place = context.seen[index].before.place(change.table)
            if change.verb is Verb.RENAME_TABLE:
                self.views[place] = migration

    def recognised(self, migration: str, context: Context) -> Iterator[Contract]:
        """Yield the contracts of a migration that nothing has to declare."""
        for seen in context.seen:
            for change in seen.statement.changes:
                if change.table or change.name:
                    place = seen.before.place(change.table or change.name)
                    yield from self._recognised(migration, change, place, seen.before)

    def _recognised(self, migration: str, change: Change, place: Name, before: Schema) -> Iterator[Contract]:
        column = unqualified(change.name) if change.name else ""
        if change.verb is Verb.DROP_COLUMN:
            yield from self._synced(migration, place, column, change.subject)
        elif change.verb is Verb.DROP_OBJECT and change.detail == "view" and place in self.views:
            yield Contract(migration, self.views[place], "", f"drops view {change.name}, which keeps an old name")
        elif change.verb is Verb.SET_NOT_NULL and (place, column) in self.columns:
            known = before.relations[place].columns.get(column) if place in before.relations else None
            filled = any(column in one.columns for _, one in self.kept.get(place, ()))
            if known is not None and known.is_nullable and known.default is None and not filled:
                words = f"makes {change.subject} NOT NULL, which code from before leaves out"
                yield Contract(migration, self.columns[place, column], "", words)

    def _synced(self, migration: str, table: Name, column: str, subject: str) -> Iterator[Contract]:
        for expand, function in self.kept.get(table, ()):
            others = [name for name, sources in function.columns.items() if column in sources and name != column]
            if others:
                yield Contract(migration, expand, "", f"drops {subject}, which {others[0]} of it was made from")

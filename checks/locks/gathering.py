"""Collecting what a statement does: one lock for each relation, the strongest that was asked for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from checks.locks.values import Effects, IndexLock, Lock, Mode, Work
from checks.model import Kind, Name, Relation, Schema
from checks.names import split

SYSTEM_SCHEMAS = frozenset({"pg_catalog", "information_schema", "pg_toast"})


class Gathering:
    """What is known so far about the effects of one statement on a schema, on one version of the server."""

    def __init__(self, schema: Schema, version: int) -> None:
        """Begin with nothing."""
        self.schema = schema
        self.version = version
        self.waits = False
        self._locks: dict[Name, Lock] = {}
        self._indexes: dict[tuple[Name, str], IndexLock] = {}
        self._fails = ""
        self._repeats = False
        self._may_fail: dict[str, None] = {}
        self._doubted: dict[str, None] = {}
        self._unknown: dict[str, None] = {}
        self._untold: dict[str, None] = {}
        self._is_unsure = False
        self._rows_decide = False

    @property
    def is_sure(self) -> bool:
        """True when what the schema does not have does not exist."""
        return self.schema.is_certain

    def since(self, version: int) -> bool:
        """True on a server of this major version or a newer one."""
        return self.version >= version

    def find(self, name: str, *, missing_ok: bool = False, what: str = "relation") -> Relation | None:
        """Return the relation that a name means.

        One that is not known comes back as a table of that name; None is a relation of the system, or one that does
        not exist, for which the statement fails unless that is allowed.
        """
        if split(name)[0] in SYSTEM_SCHEMAS or (not split(name)[0] and split(name)[1].startswith("pg_")):
            return self.schema.find(name)
        found = self.schema.find(name)
        if found is None and self.is_sure:
            if not missing_ok:
                self.fail(f"there is no {what} {name}")
            return None
        if found is None and missing_ok and self.schema.is_complete:
            self.miss(f"whether there is a {what} {name}")
            return None
        return found or Relation(self.schema.place(name))

    def knows(self, relation: Relation) -> bool:
        """True when the schema has it: what it does not have of it is then not there."""
        return relation.name in self.schema.relations

    def lock(
        self, relation: Relation | Name, mode: Mode, *work: Work, maybe: Iterable[Work] = (), because: str = ""
    ) -> None:
        """Add a lock, or make the one that is there stronger. Without `because` the statement names the relation."""
        name = relation.name if isinstance(relation, Relation) else relation
        if name.schema in SYSTEM_SCHEMAS:
            return
        if isinstance(relation, Relation) and relation.kind is Kind.PARTITIONED and self.schema.doubts:
            self.miss(f"partitions of {name} that code has made")
        if self._is_unsure:
            work, maybe = (), {*work, *maybe}
        old = self._locks.get(name)
        new = Lock(
            name, mode, frozenset(work), frozenset(maybe), because, self.schema.is_new(name), not self._rows_decide
        )
        if new.is_new:
            new = replace(new, has_rows=self.schema.relations[name].has_rows)
        if old is not None:
            new = replace(
                old,
                mode=max(old.mode, mode),
                work=old.work | new.work,
                maybe=old.maybe | new.maybe,
                because=old.because and because and old.because,
                is_certain=old.is_certain or new.is_certain
                if old.mode == mode
                else max(old, new, key=_mode).is_certain,
            )
        self._locks[name] = new

    def work(self, relation: Relation, *work: Work, maybe: Iterable[Work] = ()) -> None:
        """Add work on a relation that is locked already. One that stores no rows itself has none, but where its
        partitions got rows in this script: not all of them may be known.
        """
        if self._is_unsure:
            work, maybe = (), {*work, *maybe}
        stores = relation.kind in {Kind.TABLE, Kind.MATERIALIZED} or relation.has_rows
        if stores and (old := self._locks.get(relation.name)):
            self._locks[relation.name] = replace(old, work=old.work | set(work), maybe=old.maybe | set(maybe))

    def lock_index(self, table: Relation, index: str, mode: Mode, *work: Work) -> None:
        """Add a lock on an index alone."""
        old = self._indexes.get((table.name, index))
        new = IndexLock(table.name, index, mode, frozenset(work), self.schema.is_new(table.name))
        self._indexes[table.name, index] = new if old is None or old.mode < mode else old

    def fail(self, reason: str) -> None:
        """Say why the server refuses the statement. The first reason stays."""
        self._fails = self._fails or reason

    def fail_if_sure(self, reason: str) -> None:
        """Say why the server refuses the statement, if nothing can have changed without being seen."""
        self.fail_if_complete(reason)
        if not self.is_sure:
            self.may_fail(reason)

    def fail_if_complete(self, reason: str) -> None:
        """The same, for what is absent: where only a part of the schema is known, that says nothing."""
        if self.is_sure:
            self.fail(reason)
        elif self.schema.is_complete:
            self._doubted[reason] = None

    def fail_if_there(self, reason: str, *, by: Relation | None = None) -> None:
        """Say that what the statement makes is there already: `by` is the relation that has the name, or the part.

        That is certain where the schema is, and where this very script made it. Else it is told as not known.
        """
        schema = self.schema
        is_made_here = schema.is_new(by.name) if by else schema.script <= 1 and not schema.is_complete
        if schema.doubts or not (schema.is_complete or is_made_here):
            self._doubted[reason] = None
        else:
            self.fail_anywhere(reason)

    def fail_anywhere(self, reason: str) -> None:
        """Say why the server refuses the statement, on whatever schema it runs."""
        self._repeats = self._repeats or not self._fails
        self.fail(reason)

    def may_fail(self, condition: str) -> None:
        """Say on what it depends whether the server refuses the statement."""
        self._may_fail[condition] = None

    def doubt(self, what: str) -> None:
        """Name code that cannot be analysed from here."""
        self._unknown[what] = None

    def miss(self, what: str) -> None:
        """Name something that the schema would tell if it were known."""
        self._untold[what] = None

    @contextmanager
    def where_rows_decide(self, *, when: bool = True) -> Iterator[None]:
        """Take all locks that are added meanwhile for possible: which rows there are decides."""
        before, self._rows_decide = self._rows_decide, self._rows_decide or when
        try:
            yield
        finally:
            self._rows_decide = before

    @contextmanager
    def unsure(self, *, when: bool = True) -> Iterator[None]:
        """Take all work that is added meanwhile for possible, not for certain."""
        before, self._is_unsure = self._is_unsure, self._is_unsure or when
        try:
            yield
        finally:
            self._is_unsure = before

    def has_rows(self, relation: Relation) -> bool | None:
        """Tell whether a table holds rows; None where that is not known."""
        if relation.size is None or relation.size.rows is None:
            return None
        return relation.size.rows > 0

    def effects(self) -> Effects:
        """Return what was gathered."""
        return Effects(
            locks=tuple(_settled(one) for one in self._locks.values()),
            fails=self._fails,
            unknown=tuple(self._unknown),
            untold=tuple(self._untold),
            waits_for_old_transactions=self.waits,
            indexes=tuple(self._indexes.values()),
            may_fail=tuple(self._may_fail),
            repeats=self._repeats,
            doubted=tuple(self._doubted),
        )


def _mode(lock: Lock) -> Mode:
    return lock.mode


def _settled(lock: Lock) -> Lock:
    """Take away what a rewrite does on its way, and doubts about what is certain."""
    work = lock.work
    if Work.REWRITE in work:
        work -= {Work.SCAN, Work.BUILD, Work.COPY}
        return replace(lock, work=work, maybe=lock.maybe - work - {Work.SCAN, Work.BUILD, Work.COPY})
    return replace(lock, maybe=lock.maybe - work)

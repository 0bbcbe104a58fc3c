"""The rehearsal itself: forward, back, forward again, and the way back from every place where a run could end."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import psycopg

from checks.rehearsal.declared import Declared
from checks.rehearsal.newcomers import newcomers
from checks.rehearsal.proof import Loss, Outcome, Proof, Try
from checks.rehearsal.queries import Query
from checks.rehearsal.rows import shown
from checks.rehearsal.sentences import told
from checks.rehearsal.structure import Table
from checks.schema import difference
from deployments.postgres.connect import Target
from deployments.postgres.rehearsal.comparing import Comparison, compare, only_labels_stay
from deployments.postgres.rehearsal.counting import Sides
from deployments.postgres.rehearsal.databases import Databases
from deployments.postgres.rehearsal.explaining import Explained
from deployments.postgres.rehearsal.inserting import Newcomers, old_names, same_names
from deployments.postgres.rehearsal.questions import Questions
from deployments.postgres.rehearsal.scripts import Rehearsed, digest_of_scripts
from deployments.postgres.rehearsal.sending import Refused, Sender
from deployments.postgres.rehearsal.state import State, meant, read_state, read_structure

STATEMENT_TIMEOUT = timedelta(minutes=30)


def play(
    databases: Databases,
    clone: str,
    migrations: Sequence[Rehearsed],
    *,
    owner_role: str = "",
    statement_timeout: timedelta = STATEMENT_TIMEOUT,
    neutralised: Sequence[str] = (),
    masked: str = "",
    queries: Sequence[Query] = (),
    tell: Callable[[str], None] = lambda _: None,
) -> Proof:
    """Play migrations and their ways back on copies of a clone, which stays as it is; return what that proves.

    `owner_role` acts, as on the target. `masked` says what was done to the clone's data before, and `queries` are
    planned before and after. Raises what opening a session raises, what `databases.stop` raises, and the
    driver's error when a connection is lost: then nothing is proven, and nothing was refuted either.
    """
    target = Target(0, databases.server.name, databases.server.connection, owner_role)
    sender = Sender(databases, target, statement_timeout)
    try:
        explained = Explained(databases, target, queries)
        play = _Play(databases, clone, tuple(migrations), target, sender, tuple(neutralised), masked, explained, tell)
        return play.run()
    except psycopg.errors.QueryCanceled:
        databases.stop.require_may_start()  # it was our own watch, because a person asked to stop
        raise


@dataclass(slots=True)
class _Play:
    databases: Databases
    clone: str
    migrations: tuple[Rehearsed, ...]
    target: Target
    sender: Sender
    neutralised: tuple[str, ...]
    masked: str
    explained: Explained
    tell: Callable[[str], None]
    problems: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    untried: list[str] = field(default_factory=list)
    losses: list[Loss] = field(default_factory=list)
    came: list[str] = field(default_factory=list)
    tries: list[Try] = field(default_factory=list)

    def run(self) -> Proof:
        """Play everything, until the first try that does not succeed."""
        began = time.monotonic()
        self.problems += [f"{one.name} has no rollback script" for one in self.migrations if one.rollback is None]
        self.problems += [sentence for one in self.migrations for sentence in one.beyond]
        if not self.problems:
            self._play()
        return Proof(
            outcome=self._outcome(),
            scripts=digest_of_scripts(self.migrations),
            at=datetime.now(UTC),
            server_version=self.databases.server_version,
            clone_bytes=self.databases.size(self.clone),
            seconds=round(time.monotonic() - began, 3),
            problems=tuple(dict.fromkeys(self.problems)),
            losses=tuple(self.losses),
            remarks=tuple(dict.fromkeys(self.remarks)),
            untried=tuple(dict.fromkeys(self.untried)),
            newcomers=tuple(self.came),
            tries=tuple(self.tries),
            traced=tuple(self.sender.traced),
            neutralised=self.neutralised,
            masked=self.masked,
            queries=self.explained.count,
            plans=tuple(self.explained.changes),
            unplanned=tuple(self.explained.unplanned),
        )

    def _outcome(self) -> Outcome:
        if self.problems:
            return Outcome.NOT_PROVEN
        return Outcome.LOSES if self.losses else Outcome.RESTORES

    def _play(self) -> None:
        names = [name for one in self.migrations for name in one.irreversible]
        with ExitStack() as copies:
            state = copies.enter_context(self.databases.copy(self.clone))
            opened = self.databases.reader(state)
            may_go = meant(opened, names)
            before, shape = read_state(opened, may_go=may_go), read_structure(opened)
            questions = Questions(self.databases, self.target, self.migrations)
            questions.ask_before(state)
            self.explained.before(state)
            for name in may_go.nothing:
                self.remarks.append(f"{name} is declared irreversible, but was not there before")
            if not self._forward(state, before, may_go):
                return
            with self._trying("verify scripts"):
                self.problems += questions.failures_after(state)
            if self.problems:
                return
            self.explained.after(state)
            opened = self.databases.reader(state)
            after, shape_after = read_state(opened, may_go=Declared()), read_structure(opened)
            later = copies.enter_context(self.databases.copy(state))
            self._there_and_back(state, before, after, may_go)
            if not self.problems:
                self._newcomers(later, before, shape, shape_after, may_go)

    def _forward(self, state: str, before: State, may_go: Declared) -> bool:
        """Go forward, and try the way back from every place where a run could end on the way."""
        for place, migration in enumerate(self.migrations):
            done = 0
            walk = self.sender.walk(state, migration.forward, is_traced=True)
            every = sum(not one.is_setting for one in migration.forward.sent)
            while True:
                with self._trying(f"{migration.name} forward"):
                    sent = next(walk, None)
                if self.problems:
                    return False
                if sent is None:
                    break
                done += 1
                if not migration.forward.transactional and done < every:
                    where = f"after statement {sent.number} of {migration.name}"
                    self._from_here(state, self.migrations[: place + 1], before, may_go, where=where)
                if self.problems:
                    return False
            if place + 1 < len(self.migrations):
                where = f"after {place + 1} of {len(self.migrations)} migrations"
                self._from_here(state, self.migrations[: place + 1], before, may_go, where=where)
            if self.problems:
                return False
        return True

    def _from_here(
        self, state: str, applied: Sequence[Rehearsed], before: State, may_go: Declared, *, where: str
    ) -> None:
        with self.databases.copy(state) as copy, self._trying(f"the way back {where}", suffix=f" ({where})"):
            self._back(copy, applied)
            self.problems += self._compared(copy, before, may_go).problems

    def _there_and_back(self, state: str, before: State, after: State, may_go: Declared) -> None:
        with self._trying("the way back"):
            self._back(state, self.migrations, is_traced=True)
            found = self._compared(state, before, may_go)
            self.problems += found.problems
            self.remarks += found.remarks
        if self.problems:
            return
        sides = Sides(self.databases.reader(self.clone), self.databases.reader(state), before, found.state)
        self.losses += sides.losses(may_go)
        self.losses += only_labels_stay(before, found.state, may_go)
        with self._trying("forward again after the way back", suffix=" (when it goes forward again)"):
            self._ahead(state)
            redone = self._read(state, after)
            self.problems += self._not_as(redone, after, "after the next forward run")
        if not self.problems:
            self._again(state, redone)

    def _again(self, state: str, before: State) -> None:
        """Send everything once more: what is there already must be refused, or nothing may change."""
        with self._trying("forward a second time"):
            try:
                self._ahead(state)
            except Refused as refused:
                self.remarks.append(f"run a second time, {refused}")
                if self.migrations[0].forward.transactional and len(self.migrations) == 1:
                    return  # the server has undone it
            self.problems += self._not_as(self._read(state, before), before, "run a second time")

    def _read(self, state: str, like: State) -> State:
        return read_state(self.databases.reader(state), may_go=Declared(), like=like)

    def _not_as(self, now: State, expected: State, what: str) -> Iterator[str]:
        """Yield in what a schema is not as expected. Rows only lead to a remark: each run may add some."""
        yield from (f"{one} ({what})" for one in told(difference(expected.schema, now.schema)))
        for table, rows in expected.content.rows.items():
            if table in now.content.rows and now.content.rows[table] != rows:
                self.remarks.append(f"{what}, the rows of {shown(table)} are others")

    def _newcomers(
        self, copy: str, before: State, shape: Sequence[Table], after: Sequence[Table], may_go: Declared
    ) -> None:
        """Put in rows that only the new schema allows; the way back must cope with them, or its author names them."""
        coming = Newcomers(self.target, after)
        with self.databases.session(copy) as opened:
            coming.insert(opened, newcomers(shape, after))
        self.untried += coming.refused
        if not coming.inserted:
            return
        self.came += [one.newcomer.what for one in coming.inserted]
        with self._trying("rows that only the new schema allows", suffix=f" (with {'; '.join(self.came)})"):
            self._back(copy, self.migrations)
            found = self._compared(copy, before, may_go, has_more=True)
            self.problems += found.problems
        if self.problems:
            return
        old = old_names(shape, after)
        with self._trying("what became of them"):
            coming.look(self.databases.reader(copy), old, may_go)
            if coming.changed:
                # What is the same again after the next forward run was kept in another form.
                with suppress(Refused):
                    self._ahead(copy)
                    coming.look(self.databases.reader(copy), same_names(after), may_go)
            self.problems += coming.lost(old, may_go)

    def _back(self, state: str, applied: Sequence[Rehearsed], *, is_traced: bool = False) -> None:
        for migration in reversed(applied):
            if migration.rollback is not None:
                self.tell(f"{migration.name}: rollback")
                self.sender.send(state, migration.rollback, is_traced=is_traced)

    def _ahead(self, state: str) -> None:
        for migration in self.migrations:
            self.tell(f"{migration.name}: forward")
            self.sender.send(state, migration.forward)

    def _compared(self, state: str, before: State, may_go: Declared, *, has_more: bool = False) -> Comparison:
        clone, copy = self.databases.reader(self.clone), self.databases.reader(state)
        return compare(clone, copy, before, may_go, has_more=has_more)

    @contextmanager
    def _trying(self, what: str, *, suffix: str = "") -> Iterator[None]:
        """Note one try: a refusal in it is a problem, and so is one that it found itself."""
        self.tell(what)
        began, known = time.monotonic(), len(self.problems)
        try:
            yield
        except Refused as refused:
            self.problems.append(str(refused))
        self.problems[known:] = [f"{one}{suffix}" for one in self.problems[known:]]
        self.tries.append(Try(what, len(self.problems) == known, round(time.monotonic() - began, 3)))

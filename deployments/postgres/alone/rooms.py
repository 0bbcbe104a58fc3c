"""Where one statement of a file runs: sessions in which names mean what they mean to it."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

from deployments.postgres.connect import Session, open_session, session
from deployments.postgres.ledger import raise_fence
from deployments.postgres.patience import Patience
from deployments.postgres.privileges import become_owner
from deployments.postgres.script import Script, Sent
from deployments.postgres.settings import be_patient, begin_limits
from deployments.postgres.transactional import TRY_AGAIN, Worker

Recorded = TypeVar("Recorded")


@dataclass(frozen=True, slots=True)
class Room:
    """One statement of a file, with who runs it and the settings that the file has made before it."""

    script: Script
    sent: Sent
    worker: Worker
    settings: tuple[Sent, ...] = ()

    @property
    def what(self) -> str:
        """What pages and errors call the statement."""
        return f"statement {self.sent.number} of {self.script.name}"

    @property
    def left(self) -> str:
        """What is in the database if it is stopped now, as a sentence."""
        return self.script.when_stopped

    @property
    def left_done(self) -> str:
        """The same from when the server has said that the statement is done, until that is recorded."""
        return (
            f"The server has done {self.what}: it is in force, and only its record is missing. "
            "Another run looks at it first."
        )

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Open a session to look in: as the owner, with the settings of the file but its timeouts."""
        with session(self.worker.target, name=self.worker.holder.session_name) as opened:
            self.enter(opened)
            if self.settings:
                be_patient(opened)
            yield opened

    @contextmanager
    def clearing(self) -> Iterator[Session]:
        """Open a session to clear up in: as `session`, and ours for certain, as `acting`. Raises FenceLost."""
        opened = self.acting()
        try:
            self.enter(opened)
            if self.settings:
                be_patient(opened)
            yield opened
        finally:
            opened.close()

    def record(self, act: Callable[[Session], Recorded], *, is_done: bool = False, resting: str = "") -> Recorded:
        """Return what `act` does in a transaction that holds the fence, as the role that records.

        Again while only locks are in its way, as a statement is: what was done is not done again for want of its row.
        `is_done` says that the statement is done by now, `resting` where it can rest between two tries, if it can.
        Raises FenceLost, LockNotObtained, CancelledOnRequest, and PausedOnRequest where it can rest.
        """
        worker = self.worker
        left = self.left_done if is_done else self.left
        patience = Patience(self.script, worker, what=f"The record of {self.what}", left=left, resting=resting)
        while True:
            try:
                with session(worker.target, name=worker.holder.session_name) as opened, opened.transaction():
                    begin_limits(opened, worker.limits)
                    raise_fence(opened, worker.target, worker.holder)
                    return act(opened)
            except TRY_AGAIN as refused:
                patience.refused(refused)

    def acting(self) -> Session:
        """Return a session that holds no lock yet and is ours for certain. Raises FenceLost.

        The fence is asked in this very session: a successor that raises it after this sees the session, and ends it.
        """
        worker = self.worker
        opened = open_session(worker.target, name=worker.holder.session_name)
        try:
            raise_fence(opened, worker.target, worker.holder)
        except BaseException:
            opened.close()
            raise
        return opened

    def enter(self, opened: Session) -> None:
        """Become the owner and make the settings of the file; the name stays ours, by which a successor finds it."""
        become_owner(opened, self.worker.target)
        for setting in self.settings:
            opened.execute(setting.text.encode())
        if self.settings:
            opened.execute("SELECT set_config('application_name', %s, false)", [self.worker.holder.session_name])


def rooms_of(script: Script, worker: Worker) -> Iterator[Room]:
    """Yield the statements of a file in order. Its settings are none: they are made in the sessions of what follows."""
    settings: list[Sent] = []
    for sent in script.sent:
        if sent.is_setting:
            settings.append(sent)
        else:
            yield Room(script, sent, worker, tuple(settings))

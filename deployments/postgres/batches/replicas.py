"""How far the replicas are behind, which batches wait for."""

import time
from collections.abc import Iterable
from contextlib import suppress

import psycopg

from deployments.postgres.connect import Session
from deployments.postgres.guard.readings import Replica, look_at_server

READING_SECONDS = 1.0  # between two looks at the replicas: a batch may take less than the guard's interval


class Replicas:
    """How far a replica has fallen behind since the batches began, read now and then between them.

    As the guard counts it: a replica that is delayed on purpose was behind before us.
    """

    def __init__(self) -> None:
        """Begin without a reading."""
        self._lag: float | None = None
        self._at_begin: dict[str, float] | None = None  # by the replica's name: one that comes back has another pid
        self._read_at: float | None = None

    def lag(self, opened: Session) -> float | None:
        """Return that of the worst one in seconds; None where there is no replica, or the server does not tell."""
        moment = time.monotonic()
        if self._read_at is None or moment - self._read_at >= READING_SECONDS:
            self._read_at = moment
            with suppress(psycopg.errors.QueryCanceled):  # a server too busy to answer: the last reading counts
                now = _lags(look_at_server(opened, tells_disk=False).replicas)
                begin = self._at_begin = now if self._at_begin is None else self._at_begin
                self._lag = max((lag - begin.get(name, 0.0) for name, lag in now.items()), default=None)
        return self._lag


def _lags(replicas: Iterable[Replica]) -> dict[str, float]:
    """Return by name how far replicas are behind, of several with one name the worst."""
    told: dict[str, float] = {}
    for one in replicas:
        if one.seconds is not None:
            told[one.name] = max(one.seconds, told.get(one.name, 0.0))
    return told

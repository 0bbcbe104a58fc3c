"""The second session of a migration or dump: it sees who waits for us, and stops us when that costs too much.

Measured: lock_timeout limits our waiting, not our holding; only a watching session bounds both (E11, E12).

- `budget`: what the application may pay. `bill`: what it paid. `readings`: what the server is asked.
- `watch`: the session and its thread. `watched`: what is watched, and how it is ended.
- `watchdog`: a second thread, for when the guard itself hangs: then it is lost, and what it watches is cancelled.
- `endings`: ending one session in our way, for a person who asked for that.

The guard never asks the control database anything. `Guard.bill` can be read from any thread; `Endings` is a box that
one thread fills with wishes and empties of outcomes while the guard attends to it at each look.
"""

from deployments.postgres.guard.bill import Bill
from deployments.postgres.guard.budget import Budget, Over
from deployments.postgres.guard.endings import Ending, Endings, Outcome
from deployments.postgres.guard.readings import (
    InTheWay,
    Seen,
    Server,
    free_disk_bytes,
    look,
    look_at_server,
    tells_disk,
)
from deployments.postgres.guard.watch import Guard

__all__ = [
    "Bill",
    "Budget",
    "Ending",
    "Endings",
    "Guard",
    "InTheWay",
    "Outcome",
    "Over",
    "Seen",
    "Server",
    "free_disk_bytes",
    "look",
    "look_at_server",
    "tells_disk",
]

"""How long each statement of a migration took: measured, kept as evidence, and found again for the next database."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from deployments.models import Job, Step
from deployments.postgres.script import Script, Sent
from deployments.states import StepState

MOST_STEPS = 200  # of the application that are looked through, the newest first
MOST_TOLD = 3  # measurements of one statement

Earlier = Mapping[tuple[str, int], list[dict[str, Any]]]
"""By hash of the script and number of the statement: where it was measured, seconds, and when; the newest first."""


@dataclass(slots=True)
class Timings:
    """What the statements of one step took. What is found to be done already, and is not sent again, is not timed."""

    before: Earlier = field(default_factory=dict)
    _seconds: dict[str, dict[int, float]] = field(default_factory=dict)
    _names: dict[str, str] = field(default_factory=dict)
    _began: float = 0.0
    _since: str = ""
    _is_sent: bool = False

    def begin(self) -> None:
        """A statement is due."""
        self._began, self._is_sent = time.monotonic(), False
        self._since = datetime.now(UTC).isoformat(timespec="milliseconds")

    def sent(self) -> None:
        """A session works for it."""
        self._is_sent = True

    def as_progress(self, script: Script, sent: Sent) -> dict[str, Any]:
        """Return since when it runs, where it stands in the script, and what it took elsewhere, as JSON values."""
        earlier_ones = self.before.get((script.entry.script_sha256, sent.number), [])
        return {"since": self._since, "line": sent.line, "earlier": earlier_ones}

    def end(self, script: Script, sent: Sent) -> None:
        """It was done: keep its seconds, waits for locks among them. A batched one has evidence of its own."""
        if (self._is_sent or script.transactional) and sent.batch is None:
            digest = script.entry.script_sha256
            self._names[digest] = script.entry.migration
            self._seconds.setdefault(digest, {})[sent.number] = round(time.monotonic() - self._began, 3)

    def as_evidence(self) -> dict[str, Any]:
        """Return it as JSON values; nothing where nothing was timed."""
        told = [
            {
                "script": digest,
                "migration": self._names[digest],
                "statements": [{"number": number, "seconds": seconds} for number, seconds in sorted(every.items())],
            }
            for digest, every in self._seconds.items()
        ]
        return {"timings": told} if told else {}


def earlier(job: Job, scripts: Iterable[Script]) -> Earlier:
    """Return what the same statements took in other databases of the application, where that was measured.

    The same: of a script with the same bytes, in the same place.
    """
    wanted = {one.entry.script_sha256 for one in scripts}
    steps = Step.objects.filter(
        name="migrate",
        state=StepState.SUCCEEDED,
        evidence__has_key="timings",
        job__run__environment__application=job.run.environment.application_id,
    )
    others = steps.exclude(job__database=job.database_id).select_related("job__database__environment__application")
    found: dict[tuple[str, int], list[dict[str, Any]]] = {}
    for step in others.order_by("-finished_at")[:MOST_STEPS]:
        for script in step.evidence["timings"]:
            for one in script["statements"] if script["script"] in wanted else ():
                told = found.setdefault((script["script"], one["number"]), [])
                if len(told) < MOST_TOLD:
                    at = step.finished_at.isoformat() if step.finished_at else None
                    told.append({"where": str(step.job.database), "seconds": one["seconds"], "at": at})
    return found

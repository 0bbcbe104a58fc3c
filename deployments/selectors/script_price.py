"""What a way back by script was found to cost, and which schema it brings back."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from checks.schema.hashes import Record, touched
from deployments.models import Job, MigrationRun, Observation, SchemaSnapshot, Step, TargetRequest
from deployments.models.target_request import RequestKind
from deployments.selectors.history import latest_observation
from deployments.selectors.rehearsals import scripts_of
from deployments.selectors.snapshots import snapshot_of

FRESH = timedelta(minutes=15)
"""How old a price may be for one person to roll back on it alone: the application goes on writing."""
MOST_TOLD = 6


@dataclass(frozen=True, slots=True)
class ScriptCost:
    """What a way back by script costs, as its databases last said; {} where nobody asked. `reason` is why one did not.

    `at` is when the oldest of the answers came.
    """

    going: tuple[dict[str, Any], ...] = ()
    unfit: tuple[dict[str, Any], ...] = ()
    untold: tuple[str, ...] = ()
    fitting: int = 0
    at: datetime | None = None
    is_asked: bool = False
    is_counted: bool = False
    reason: str = ""

    def is_fresh(self, now: datetime) -> bool:
        """Return whether it was counted so lately that one person may rely on it alone."""
        return self.is_counted and self.at is not None and now - self.at <= FRESH

    @property
    def beyond(self) -> str:
        """What nobody has accepted to lose, in words; "" where it is certain that it is nothing.

        Whoever approved a script has accepted what it declares irreversible.
        """
        for one in self.going:
            if one["is_declared"]:
                continue
            if one["lost"] is None:
                return f"How much of {one['name']} is lost is not known."
            if one["lost"]:
                most = "" if one["sure"] == "exact" and one["what"] == "rows" else "At most "
                return f"{most}{one['lost']:,} {one['what']} of {one['name']} are lost."
        return f"{self.untold[0]}: not counted." if self.untold else ""

    @property
    def loses(self) -> bool:
        """Whether something is lost, or may be; also what its author declared."""
        return bool(self.untold) or any(one["lost"] is None or one["lost"] for one in self.going)


def cost_of(run: MigrationRun, back: Iterable[Mapping[str, Any]]) -> ScriptCost:
    """Return what was last found out about the price of rolling back migrations of a run, as a plan names them."""
    wanted = rollbacks_of(back)
    jobs = list(run.jobs.filter(applied__gt=0))
    wishes = TargetRequest.objects.filter(job__in=jobs, kind=RequestKind.SCRIPT_PRICE).order_by("-pk")
    newest: dict[int, TargetRequest] = {}
    is_asked = False
    for wish in wishes:
        is_asked = is_asked or wish.answered_at is None
        if wish.answered_at is not None and wish.job_id is not None:
            newest.setdefault(wish.job_id, wish)
    found = [one for one in newest.values() if one.found.get("scripts") == wanted]
    reason = next((one.error for one in newest.values() if one.error), "")
    if not jobs or len(found) != len(jobs):
        return ScriptCost(is_asked=is_asked, reason=reason)
    return ScriptCost(
        going=_together(found, "going"),
        unfit=_together(found, "unfit"),
        untold=tuple(dict.fromkeys(told for one in found for told in one.found["untold"])),
        fitting=sum(one.found["fitting"] for one in found),
        at=min(one.answered_at for one in found if one.answered_at),
        is_asked=is_asked,
        is_counted=True,
    )


def rollbacks_of(back: Iterable[Mapping[str, Any]]) -> str:
    """Return what a price is bound to: the rollback scripts of these entries of a plan, in this order."""
    return scripts_of({"migrations": [{**entry, "forward": ""} for entry in back]})


def schemas_around(job: Job) -> tuple[Mapping[str, Record], Mapping[str, Record]] | None:
    """Return what of a schema the run of a job may have changed: before it, and as last read; None if not noted.

    As records by the keys of their objects. Types are always among them: what uses one is not in a plan.
    """
    noted = Step.objects.filter(job=job, name="checks before", evidence__schema__has_key="observation")
    step = noted.order_by("-attempt").first()
    now = latest_observation(job.database)
    if step is None or now is None or now.snapshot is None:
        return None
    was = Observation.objects.select_related("snapshot").get(pk=step.evidence["schema"]["observation"]).snapshot
    if was is None or was.format != now.snapshot.format:
        return None
    names = _concerned(was, job) | _concerned(now.snapshot, job)
    return snapshot_of(was, names).records, snapshot_of(now.snapshot, names).records


def _concerned(kept: SchemaSnapshot, job: Job) -> set[str]:
    types = {name for name in kept.objects_by_name if name.startswith("type ")}
    return types | set(touched(kept.objects_by_name, job.run.plan["touches"]))


def _together(found: Iterable[TargetRequest], part: str) -> tuple[dict[str, Any], ...]:
    """Return what several databases said, with the name of each where they are several."""
    every = list(found)
    return tuple(
        one | ({"database": wish.database.name} if len(every) > 1 else {}) for wish in every for one in wish.found[part]
    )

"""The plan of a run as pages show it: its migrations with what was found in each, and the scripts byte for byte."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from django.db.models.functions import Length

from deployments.models import MigrationRun, Script
from deployments.models.run import RunKind
from deployments.selectors.clone_times import clone_times
from deployments.selectors.judgement import About, about
from deployments.selectors.reported import item_of, tests_of


@dataclass(frozen=True, slots=True)
class PlannedMigration:
    """One migration of a plan as it was judged. `number` is its place, from 1.

    `runs` is the script that will be executed, `back` its way back if it has one, `verify` its questions: by SHA-256.
    `batches` are its statements that run in batches, each with what is sent for one.
    `quiet` are the locks that stop neither reads nor writes; a judgement of before they were kept has none.
    """

    number: int
    name: str
    risk: str
    statements: int
    findings: tuple[Mapping[str, Any], ...]
    locks: tuple[Mapping[str, Any], ...]
    quiet: tuple[Mapping[str, Any], ...]
    about: About
    is_analysed: bool
    runs: str
    back: str
    verify: str
    batches: tuple[Mapping[str, Any], ...] = ()
    on_clone: Mapping[int, str] = field(default_factory=dict)  # by line: how long, and what that lets one expect here

    @property
    def is_calm(self) -> bool:
        """True when it asks nothing of its reader: no finding, nobody who waits, nothing that breaks or is unknown."""
        is_fine = self.risk == "safe" and self.is_analysed and self.about.is_compatible is True
        return is_fine and not self.findings and not self.locks

    @property
    def stops(self) -> tuple[str, ...]:
        """The relations whose readers or writers wait for it."""
        return tuple(dict.fromkeys(one["relation"] for one in self.locks))


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will execute or has executed, with how it was judged when it was planned."""

    direction: str
    migrations: tuple[PlannedMigration, ...]
    reasons: tuple[str, ...]
    risk: str

    @property
    def findings(self) -> int:
        """How many findings there are in all scripts."""
        return sum(len(one.findings) for one in self.migrations)


def plan_of(run: MigrationRun) -> Plan:
    """Return the plan of a run, in the order its migrations run. No script is read."""
    plan = run.plan
    judgement = run.judgement
    is_back = run.kind == RunKind.ROLLBACK
    tests = item_of(tests_of(run.environment.application, judgement.get("commit", "")))
    times = clone_times(run)
    return Plan(
        direction="rollback" if is_back else "forward",
        migrations=tuple(
            replace(
                _planned(number, entry, judgement, plan["class"], tests, is_back=is_back),
                batches=tuple(one for one in plan.get("batches", ()) if one["migration"] == entry["name"]),
                on_clone=times.get(entry["name"], {}),
            )
            for number, entry in enumerate(plan["migrations"], start=1)
        ),
        reasons=tuple(judgement.get("reasons", ())),
        risk=plan["class"],
    )


def scripts_of(migrations: Iterable[PlannedMigration]) -> dict[str, Script]:
    """Return the scripts of migrations, by their SHA-256."""
    return Script.objects.in_bulk({sha for one in migrations for sha in (one.runs, one.back, one.verify) if sha})


def sizes_of(migrations: Iterable[PlannedMigration]) -> dict[str, int]:
    """Return how many bytes each script of migrations has, by their SHA-256. No script is read."""
    found = Script.objects.filter(pk__in={sha for one in migrations for sha in (one.runs, one.back, one.verify) if sha})
    return dict(found.annotate(size=Length("body")).values_list("pk", "size"))


def _planned(
    number: int,
    entry: Mapping[str, Any],
    judgement: Mapping[str, Any],
    highest: str,
    tests: Mapping[str, Any] | None,
    *,
    is_back: bool,
) -> PlannedMigration:
    judged = judgement.get("migrations", {}).get(entry["name"], {})
    return PlannedMigration(
        number=number,
        name=entry["name"],
        risk=judged.get("class", highest),
        statements=judged.get("statements", 0),
        findings=tuple(judged.get("findings", ())),
        locks=tuple(judged.get("locks", ())),
        quiet=tuple(judged.get("quiet", ())),
        about=about(judgement, entry["name"], tests=tests),
        is_analysed=bool(judged) and not judged.get("unknown"),
        runs=entry["rollback" if is_back else "forward"],
        back="" if is_back else entry["rollback"] or "",
        verify=entry["verify"] or "",
    )

"""The plan of a run as a page shows it: the scripts byte for byte, and what was found in each."""

from dataclasses import dataclass
from typing import Any

from deployments.models import MigrationRun, Script
from deployments.models.run import RunKind
from deployments.selectors.judgement import About, about


@dataclass(frozen=True, slots=True)
class Planned:
    """One migration of a plan with the script that runs, and what was found in it when it was planned."""

    name: str
    risk: str
    sha256: str
    size: int  # bytes
    statements: int
    text: str
    findings: tuple[dict[str, Any], ...]
    locks: tuple[dict[str, Any], ...]
    about: About
    has_way_back: bool
    has_checks: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will execute or has executed, with how it was judged when it was planned."""

    direction: str
    migrations: tuple[Planned, ...]
    reasons: tuple[str, ...]
    risk: str

    @property
    def findings(self) -> int:
        """How many findings there are in all scripts."""
        return sum(len(one.findings) for one in self.migrations)


def plan_of(run: MigrationRun) -> Plan:
    """Return the plan of a run with its scripts, in the order they run."""
    plan = run.plan
    direction = "rollback" if run.kind == RunKind.ROLLBACK else "forward"
    wanted = [entry[direction] for entry in plan["migrations"]]
    scripts = Script.objects.in_bulk(wanted)
    judged = run.judgement.get("migrations", {})
    return Plan(
        direction=direction,
        migrations=tuple(
            _planned(run, entry, scripts[entry[direction]], judged.get(entry["name"], {}))
            for entry in plan["migrations"]
        ),
        reasons=tuple(run.judgement.get("reasons", ())),
        risk=plan["class"],
    )


def _planned(run: MigrationRun, entry: dict[str, Any], script: Script, judged: dict[str, Any]) -> Planned:
    return Planned(
        name=entry["name"],
        risk=judged.get("class", "high-risk"),
        sha256=script.sha256,
        size=len(bytes(script.body)),
        statements=judged.get("statements", 0),
        text=script.text(),
        findings=tuple(judged.get("findings", ())),
        locks=tuple(judged.get("locks", ())),
        about=about(run.judgement, entry["name"]),
        has_way_back=entry["rollback"] is not None,
        has_checks=entry["verify"] is not None,
    )

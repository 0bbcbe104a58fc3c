"""What a policy asks of a run, and where each of it stands; and what it does not ask."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from checks.policy import NOT_ASKED, Requirements, Unmet
from checks.policy.backups import PG_DUMP
from checks.policy.collisions import Response
from checks.words import counted, plural
from deployments.models import Approval, Database, MigrationRun
from deployments.models.approval import Verdict
from deployments.models.run import RunKind
from deployments.selectors.rehearsals import proofs_of
from deployments.states import RunState

ROLE_NAMES = {"dba": "DBA", "architect": "architect"}


@dataclass(frozen=True, slots=True)
class Asked:
    """One thing that a policy asks. `standing` is met, unmet, in-run, or void: there is nothing to compare."""

    title: str
    standing: str
    text: str


def asked_of(
    run: MigrationRun, needs: Requirements, waits: Sequence[Unmet], approvals: Sequence[Approval], ways_back: int
) -> list[Asked]:
    """Return what the policy asks of a run, and where each of it stands; `ways_back` migrations have a rollback."""
    unmet = {one.rule: one.text for one in waits}
    given = [one for one in approvals if one.verdict == Verdict.APPROVED]
    asked = []
    for role in dict.fromkeys(needs.approvals):
        wanted = needs.approvals.count(role)
        names = ", ".join(one.approver.username for one in given if one.role == role)
        title = f"{'One' if wanted == 1 else wanted} {ROLE_NAMES[role]}{'' if wanted == 1 else 's'}"
        is_open = f"approval-{role}" in unmet or not names
        asked.append(Asked(title, "unmet" if is_open else "met", f"Approved by {names}." if names else "Nobody yet."))
    if run.kind != RunKind.DEPLOY:
        return asked  # of a way back the policy asks nothing else
    return [*asked, *_of_deploy(run, needs, unmet, ways_back), *_when(run, needs, unmet)]


def _of_deploy(run: MigrationRun, needs: Requirements, unmet: Mapping[str, str], ways_back: int) -> Iterator[Asked]:
    count = len(run.plan["migrations"])
    if needs.staging_first:
        yield _earlier(run, unmet.get("staging-first", ""))
    if needs.rollback:
        told = f"{ways_back} of {counted(count, 'migration')} {plural(count, 'has', 'have')} one."
        yield Asked("Rollback script with every migration", "met" if ways_back == count else "unmet", told)
    if needs.backup:
        told = "The run takes it before its first statement, and stops without it."
        if needs.backup_driver != PG_DUMP:
            told = f"The driver {needs.backup_driver} makes it before the first statement; without it the run stops."
        yield Asked("Backup before the first statement", "in-run", told)
    if needs.verified_backup_gb is not None:
        yield _verified(run, needs)
    if needs.rehearsal_hours is not None:
        yield _rehearsed(run, needs.rehearsal_hours, unmet.get("rehearsal", ""))
    if needs.watch_seconds:
        yield Asked("Health watched afterwards", "in-run", f"For {needs.watch_seconds} s after the last step.")
    if needs.contract_soak_seconds is not None:
        told = "No contract of it comes too early. What breaks old code stands at each migration."
        yield Asked("Time between expand and contract", "met", told)


def _when(run: MigrationRun, needs: Requirements, unmet: Mapping[str, str]) -> Iterator[Asked]:
    if needs.windows:
        told = unmet.get("window", "") or "It is open now."
        standing = "unmet" if "window" in unmet else "met"
        if run.state != RunState.AWAITING:
            standing, told = "met", "It was open when the run was started."
        yield Asked(f"Window: {'; '.join(map(str, needs.windows))}", standing, told)
    if Response.WAIT in needs.collisions.values() or Response.REFUSE in needs.collisions.values():
        told = f"It waits {needs.collision_wait_seconds} s at most for what passes, and refuses the rest."
        yield Asked("Nothing in the way before it begins", "in-run", told)


def _verified(run: MigrationRun, needs: Requirements) -> Asked:
    """Return what is asked of the backup, and honestly nothing where it cannot be restored."""
    title = "Backup restored and equal"
    if needs.backup_driver != PG_DUMP:
        return Asked(title, "void", f"The driver {needs.backup_driver} makes it: it is not restored by Locktender.")
    if not run.environment.rehearsal_connection:
        return Asked(title, "void", "No rehearsal server is named here: the backup is read to its end, and no more.")
    whole, sampled = needs.verified_backup_gb, needs.sampled_backup_gb
    told = f"Up to {whole} GB the run restores it before its first statement, and stops if anything differs."
    if sampled is not None and sampled > (whole or 0):
        told += f" Up to {sampled} GB it compares the number of all rows, and a sample of them."
    return Asked(title, "in-run", told)


def _rehearsed(run: MigrationRun, hours: int, waits: str) -> Asked:
    """Return where the proof of the way back stands, and honestly nothing where it cannot be had."""
    title = "Way back proven"
    if not run.environment.rehearsal_connection:
        return Asked(title, "void", "No rehearsal server is named here: the way back is not proven.")
    if waits:
        return Asked(title, "unmet", waits)
    told = f"It was tried in the {hours} h before the run was started."
    if run.state == RunState.AWAITING:
        told = " ".join(f"{one.database.name}: {one.proof.sentence}." for one in proofs_of(run) if one.proof)
    return Asked(title, "met", told)


def _earlier(run: MigrationRun, waits: str) -> Asked:
    title = "Every earlier environment first"
    if waits:
        return Asked(title, "unmet", waits)
    earlier = Database.objects.filter(
        environment__application=run.environment.application_id, environment__rank__lt=run.environment.rank
    )
    if not earlier.exists():
        return Asked(title, "void", "No earlier environment has a database.")
    return Asked(title, "met", "Every migration of this plan is applied there, as last observed.")


def not_asked(run: MigrationRun, needs: Requirements) -> list[str]:
    """Return what this policy does not ask of this run, and what no policy can ask yet."""
    asks = {"approval": bool(needs.approvals)}
    if run.kind == RunKind.DEPLOY:
        asks |= {
            "every earlier environment first": needs.staging_first,
            "rollback script with every migration": needs.rollback,
            "backup before the first statement": needs.backup,
            "verified backup": needs.verified_backup_gb is not None,
            "rehearsal": needs.rehearsal_hours is not None,
            "health watched afterwards": needs.watch_seconds > 0,
            "time between expand and contract": needs.contract_soak_seconds is not None,
            "low-traffic window": bool(needs.windows),
        }
    return [*(name for name, is_asked in asks.items() if not is_asked), *NOT_ASKED]

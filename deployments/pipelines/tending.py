"""Looking after the backups in the store: are they still readable, and which may go? Once a day, and by hand."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import structlog
from django.conf import settings

from deployments.actors import DISPATCHER
from deployments.artifacts import Artifacts
from deployments.errors import DeploymentError
from deployments.models import Backup
from deployments.models.backup import BackupScope, CheckOutcome
from deployments.pipelines.steps.driven import configured
from deployments.postgres.backup.archive import BackupUnreadable, Manifest, compare_with_manifest
from deployments.postgres.backup.opening import GoOn
from deployments.selectors.backups import kept_backups, reason_to_stay
from deployments.services.backups import expire, note_check

log = structlog.get_logger()


@dataclass(slots=True)
class Tended:
    """What was found and done."""

    readable: list[Backup] = field(default_factory=list)
    damaged: list[Backup] = field(default_factory=list)
    expired: list[Backup] = field(default_factory=list)
    unreachable: list[Backup] = field(default_factory=list)

    def of(self, outcome: CheckOutcome) -> list[Backup]:
        """Return those of which this came."""
        found = {CheckOutcome.READABLE: self.readable, CheckOutcome.UNREACHABLE: self.unreachable}
        return found.get(outcome, self.damaged)


def tend_backups() -> Tended:
    """Read every backup that is kept to its end, write down what was found, and remove those that no rule keeps.

    What is damaged or held is never removed by itself. Safe to call at any time, any number of times.
    """
    artifacts, tended = Artifacts(settings.CONFIGURATION.artifacts), Tended()
    kept = list(kept_backups())
    if kept and not any(artifacts.path(backup.place).is_dir() for backup in kept):
        log.error("no backup is in the store: is it mounted?", folder=str(artifacts.root))
        for backup in kept:  # nothing is told to be damaged, and nothing removed, because a disk is not there
            note_check(backup, CheckOutcome.UNREACHABLE, {}, actor=DISPATCHER)
        tended.unreachable += kept
        return tended
    for backup in kept:
        outcome, why = _read(artifacts, backup)
        note_check(backup, outcome, {"why": why} if why else {}, actor=DISPATCHER)
        tended.of(outcome).append(backup)
    for backup, rule in _superfluous():
        if expire(backup, rule=rule, actor=DISPATCHER):
            tended.expired.append(backup)
    _remove_expired(artifacts)
    return tended


def _read(artifacts: Artifacts, backup: Backup) -> tuple[CheckOutcome, str]:
    """Return what came of reading a backup, and why."""
    try:
        manifest = compare_with_manifest(artifacts.path(backup.place), recorded=backup.manifest_sha256, stop=GoOn())
    except BackupUnreadable as damaged:
        log.warning("backup damaged", backup=backup.pk, reason=str(damaged))
        return CheckOutcome.DAMAGED, str(damaged)
    if backup.scope == BackupScope.SERVER:
        return _ask(backup, manifest)
    return CheckOutcome.READABLE, ""


def _ask(backup: Backup, manifest: Manifest) -> tuple[CheckOutcome, str]:
    """Return whether a driver says that its backup is still there, and in its words. Unasked it is not known."""
    content = manifest.content
    told = {
        "restore_point": backup.restore_point,
        "backup": content["driver"]["backup"],
        "system_identifier": content["server"]["system_identifier"],
        **content["snapshot"],
    }
    try:
        driver = configured(backup.driver)
        answer = driver.ask("check", told, stop=GoOn())
        is_there, said = driver.flag("check", answer, "there"), driver.text("check", answer, "said")
    except DeploymentError as refusal:
        log.warning("backup driver not asked", backup=backup.pk, reason=str(refusal))
        return CheckOutcome.UNREACHABLE, str(refusal)
    return (CheckOutcome.READABLE if is_there else CheckOutcome.DAMAGED), said


def _superfluous() -> Iterator[tuple[Backup, str]]:
    """Give the backups that no rule keeps any longer, each with the rule by which it goes."""
    timings = settings.CONFIGURATION
    days, count = timings.backup_days, timings.backups_kept
    for backup in list(kept_backups()):
        if not reason_to_stay(backup, days=days, count=count):
            yield backup, f"older than {days} days, and not among the newest {count} sound ones"


def _remove_expired(artifacts: Artifacts) -> None:
    """Remove the files of what is said to be gone; also of what somebody said who died before doing it."""
    for place in Backup.objects.filter(expiry__isnull=False).values_list("place", flat=True):
        if artifacts.path(place).is_dir():
            artifacts.remove(place)

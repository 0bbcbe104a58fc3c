"""Alarms about a history that somebody else than Locktender changed: raising them, and ending them with a reason."""

from django.db import transaction

from checks.back_door import Break
from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import AlarmAnswer, Database, HistoryAlarm, Observation
from deployments.selectors.back_door import changes_of
from deployments.services.audit import record
from deployments.services.transition import lock_databases


class AlarmReasonMissing(DeploymentError):
    """An alarm was to be ended without a reason."""

    code = "alarm-reason-missing"

    def __init__(self) -> None:
        super().__init__(
            "To end an alarm needs a reason, for the record: who changed the history of the database, and what was "
            "done about it. Nothing was changed. Give one."
        )


class NoAlarm(DeploymentError):
    """There is no open alarm among those that a person saw."""

    code = "no-alarm"

    def __init__(self, *, database: str) -> None:
        super().__init__(
            f"No alarm about {database} is open of those that you saw: somebody has seen to them. Nothing was changed. "
            "Look at the page again."
        )


def raise_alarms(seen: Observation, *, actor: Actor) -> list[HistoryAlarm]:
    """Raise an alarm for every change of the history, since the reading before, that no run of ours explains.

    Called for every reading, in the transaction that keeps it, with the database locked. The first reading raises none:
    what was there then is how the database was taken on. What an open alarm tells already raises no second one.
    """
    before = Observation.objects.filter(database=seen.database, pk__lt=seen.pk).order_by("-id").first()
    if before is None:
        return []
    still_open = list(HistoryAlarm.objects.filter(database=seen.database, answer=None))
    told = {(one.migration, one.kind, one.after) for one in still_open}
    foreign = {one.migration for one in still_open if one.kind == Break.FOREIGN}
    raised = []
    for change in changes_of(before, seen):
        is_undone = change.kind is Break.GONE and change.migration in foreign
        if is_undone or (change.migration, change.kind, change.after) in told:
            continue
        raised.append(
            HistoryAlarm.objects.create(
                database=seen.database,
                kind=change.kind,
                migration=change.migration,
                before=change.before,
                after=change.after,
                seen_in=seen,
                as_before=before,
            )
        )
        after = {"kind": change.kind, "migration": change.migration, "checksum": change.after, "reading": seen.pk}
        record(actor, "database.history-changed", seen.database, before={"checksum": change.before}, after=after)
    return raised


def end_alarms(database: Database, *, seen: int, reason: str, actor: Actor) -> list[HistoryAlarm]:
    """End the open alarms of a database, up to the one that the person saw last, and return them.

    What was raised since stays open. Raises NotAllowed, AlarmReasonMissing, NoAlarm.
    """
    person = require(actor, Action.END_ALARM, database)
    if not reason.strip():
        raise AlarmReasonMissing
    with transaction.atomic():
        lock_databases([database.pk])
        ended = list(HistoryAlarm.objects.filter(database=database, answer=None, pk__lte=seen).order_by("id"))
        if not ended:
            raise NoAlarm(database=str(database))
        for alarm in ended:
            AlarmAnswer.objects.create(alarm=alarm, answered_by=person, reason=reason)
        after = [{"alarm": one.pk, "migration": one.migration, "kind": one.kind} for one in ended]
        record(actor, "database.alarm-ended", database, after=after, reason=reason)
    return ended

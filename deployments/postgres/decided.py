"""Obeying what a person decided about the migration in doubt: what they confirmed is never sent again."""

from typing import Any

from deployments.postgres.alone.records import let_send_again, write_done
from deployments.postgres.alone.rooms import Room
from deployments.postgres.connect import session
from deployments.postgres.doubt import judged
from deployments.postgres.script import Script
from deployments.postgres.stopped import InDoubt
from deployments.postgres.transactional import Worker


def obey(script: Script, worker: Worker, decided: dict[str, Any], *, claim: int) -> None:
    """Bring the records of a migration to what a person decided about it, before anything of it is sent.

    `decided` is as the resolve service keeps it, `claim` the number of this executor among those of the job. What was
    confirmed as applied is asked of the target once more. Raises InDoubt if it shows it no longer, FenceLost,
    LockNotObtained, and the driver's errors.
    """
    if decided.get("migration") != script.entry.migration:
        return
    sent = next((one for one in script.sent if one.number == decided["statement"]), None)
    if not decided["is_applied"]:
        if sent is not None and decided["for_claim"] == claim:
            Room(script, sent, worker).record(lambda opened: let_send_again(opened, script, sent, worker))
        return
    with session(worker.target, name=worker.holder.session_name) as opened:
        found = judged(opened, worker.target, script, holder=worker.holder)
    is_past_it = found.is_applied or (sent is not None and (found.statement or 0) > sent.number)
    if not is_past_it:
        what = script.name if sent is None else f"statement {sent.number} of {script.name}"
        raise InDoubt(what=what, why=f"a person confirmed that it did, and the target shows it no longer. {found.why}")
    if sent is not None and found.statement == sent.number:
        Room(script, sent, worker).record(lambda opened: write_done(opened, script, sent, worker))

"""Counting what a way back by script would drop, for a person who has not decided, or for one that begins by itself."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from checks.dropped import dropped
from checks.rehearsal.misfits import Misfit, misfits
from deployments.models import Job, Script
from deployments.pipelines.observing import target_of
from deployments.postgres.connect import Holder, Target
from deployments.postgres.ledger import FORWARD
from deployments.postgres.price.script import ScriptPrice, Unfit, script_price
from deployments.postgres.script import prepare
from deployments.postgres.verify import reading
from deployments.selectors.script_price import rollbacks_of, schemas_around
from deployments.services.draft import draft_rollback

COUNTING_SECONDS = 20.0  # a person waits, and the target has other work
NOT_NOTED = "What the schema was before that run was not noted."
NOT_DERIVED = "No question follows from the schema."


def script_price_of(job: Job) -> dict[str, Any]:
    """Return the price of rolling back what is left of a job, as evidence.

    Raises what `draft_rollback`, opening a session and a lost link raise.
    """
    draft = draft_rollback(job.run)
    holder = Holder(run=job.run.number, job=job.pk, fence=0)
    price = counted_on(target_of(job.database), holder, job, draft.entries)
    return price.as_evidence() | {"scripts": rollbacks_of(draft.entries)}


def counted_on(target: Target, holder: Holder, job: Job, back: Sequence[Mapping[str, Any]]) -> ScriptPrice:
    """Return the price of rollback scripts, as a plan names them, on the database of a job that applied them."""
    scripts = Script.objects.in_bulk([entry[part] for entry in back for part in ("forward", "rollback")])
    drops = dropped((entry["name"], scripts[entry["rollback"]].text()) for entry in back)
    around = schemas_around(job)
    found = list(misfits(*around)) if around else []
    uncountable = [Unfit(one.why, None, NOT_DERIVED) for one in found if not isinstance(one, Misfit)]
    with reading(target, holder) as opened:
        price = script_price(
            opened,
            drops.drops,
            [one for one in found if isinstance(one, Misfit)],
            migrations=[entry["name"] for entry in back],
            is_one_transaction=all(_is_one_transaction(scripts[entry["forward"]].text()) for entry in back),
            untold=drops.untold,
            seconds=COUNTING_SECONDS,
        )
    if around is None:
        uncountable.append(Unfit("Rows of now under the schema of before", None, NOT_NOTED))
    return replace(price, unfit=(*price.unfit, *uncountable))


def _is_one_transaction(text: str) -> bool:
    script = prepare(text, migration="", direction=FORWARD, checksum="", script_sha256="")
    return script.transactional and not any(one.batch for one in script.sent)

"""Answering what people want of a target: one wish, one look or re-adoption, one answer that stays."""

import structlog

from deployments.actors import EXECUTOR, Actor, person
from deployments.errors import DeploymentError
from deployments.models import TargetRequest
from deployments.models.target_request import RequestKind
from deployments.pipelines.adopting import readopt_database
from deployments.pipelines.beside import tables_beside
from deployments.pipelines.doubts import look_at
from deployments.pipelines.pricing import price_of
from deployments.postgres.connect import ANSWERED, DRIVER_ERROR, LINK_ERRORS
from deployments.postgres.errors import TargetLocked, TargetUnreachable
from deployments.services.looks import answer

log = structlog.get_logger()


def answer_request(request_id: int) -> bool:
    """Answer a wish, unless somebody has: then False. Safe to call any number of times.

    A target that cannot be asked is an answer too: it says so, and since when.
    """
    wish = TargetRequest.objects.select_related(
        "database__environment__application", "job__run__environment__application", "job__database", "requested_by"
    ).get(pk=request_id)
    if wish.answered_at is not None:
        return False
    try:
        return _answered(wish)
    except ANSWERED:
        return _refused(wish, TargetLocked(target=str(wish.database)))
    except LINK_ERRORS as cut:
        return _refused(wish, TargetUnreachable.by(cut, target=str(wish.database)))
    except DeploymentError as refusal:
        return _refused(wish, refusal)
    except DRIVER_ERROR as refused:
        told = refused.diag.message_primary or type(refused).__name__
        return answer(wish, code="target-refused", error=f"The target refused: {told}.")


def _answered(wish: TargetRequest) -> bool:
    if wish.kind == RequestKind.TABLES:
        return tables_beside(wish)  # it takes long, and says itself what came of it
    return answer(wish, found=_do(wish))


def _do(wish: TargetRequest) -> dict[str, object]:
    if wish.kind == RequestKind.READOPT:
        return readopt_database(wish.database, reason=wish.reason, actor=_actor(wish)).as_evidence()
    assert wish.job is not None  # noqa: S101 # a constraint says so
    if wish.kind == RequestKind.PRICE:
        return price_of(wish.job)
    if wish.kind == RequestKind.SCRIPT_PRICE:
        # Planning judges, and all that judges is read only by whoever needs it.
        from deployments.pipelines.script_pricing import script_price_of  # noqa: PLC0415

        return script_price_of(wish.job)
    return look_at(wish.job)


def _refused(wish: TargetRequest, refusal: DeploymentError) -> bool:
    log.info("wish not granted", request=wish.pk, code=refusal.code)
    return answer(wish, code=refusal.code, error=str(refusal))


def _actor(wish: TargetRequest) -> Actor:
    return person(wish.requested_by) if wish.requested_by else EXECUTOR

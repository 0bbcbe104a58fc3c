"""Rolling a failed run back by itself, where its policy wants that: counted first, and only where nothing is lost."""

import structlog
from django.db import InterfaceError, OperationalError

from checks.errors import CheckError
from checks.policy import Requirements
from deployments.actors import EXECUTOR
from deployments.errors import DeploymentError
from deployments.models import Job, MigrationRun
from deployments.models.run import RunKind
from deployments.pipelines.answering import answer_request
from deployments.pipelines.record import persist

log = structlog.get_logger()


def roll_back_if_wanted(job: Job, code: str) -> None:
    """Begin the way back from the run of a job that failed with this code, if its policy says so; else tell why not.

    Done as well as can be: the job has ended, and whoever is on call has the same way back by a press.
    """
    run = MigrationRun.objects.get(pk=job.run_id)
    if run.kind != RunKind.DEPLOY or code not in Requirements.of_plan(run.plan["requirements"]).automatic_rollback:
        return
    # Planning judges, and all that judges is a sixth of what an executor would read at its start; few ever need it.
    from deployments.services.rollback import roll_back_by_itself, tell_why_not  # noqa: PLC0415
    from deployments.services.script_price import request_script_price  # noqa: PLC0415

    try:
        for wish in request_script_price(run, actor=EXECUTOR):
            answer_request(wish.pk)
        back = roll_back_by_itself(run, code=code, actor=EXECUTOR)
        log.info("rolled back by itself", run=run.number, back=back.number, code=code)
    except (OperationalError, InterfaceError) as away:
        log.warning("not rolled back by itself", run=run.number, reason=type(away).__name__)
    except (DeploymentError, CheckError) as refused:
        code, why = refused.code, str(refused)
        persist(lambda: tell_why_not(run, code=code, why=why, actor=EXECUTOR), is_written=lambda: True)

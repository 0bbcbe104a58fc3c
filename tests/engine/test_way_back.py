"""A way back by script with its price: counted on the target, taken alone or by itself, refused when it costs more."""

import hashlib
import hmac
import json
import re
import socket
import uuid
from collections.abc import Iterator

import pytest
import trustme

from checks.risk import Risk
from deployments.actors import EXECUTOR
from deployments.addresses import HealthCheckUnusable
from deployments.authority import NotAllowed
from deployments.models import AuditEvent, Environment, HealthCheck, Job, MigrationRun, Step
from deployments.pipelines import takeover
from deployments.pipelines.answering import answer_request
from deployments.postgres.errors import NoConnectionLeft
from deployments.selectors.script_price import cost_of
from deployments.services import setup
from deployments.services.draft import draft_rollback
from deployments.services.health import keep_version
from deployments.services.policy import change_policy
from deployments.services.rollback import roll_back
from deployments.services.script_price import request_script_price
from deployments.states import JobState, RunState
from tests.application import Application, Behaviour, answering, answering_json, in_turn, running
from tests.deployments.refusals import refused_by
from tests.deployments.test_probe_tls import certified
from tests.engine.conftest import Rewards, actor
from tests.pages.proven import PROOF, rehearsed

FORWARD = "ALTER TABLE ledger ADD note text, ALTER points DROP NOT NULL; UPDATE ledger SET note = 'old'"
BACK = "ALTER TABLE ledger DROP note, ALTER points SET NOT NULL"
ASKS = {"approvals": {risk.value: ["dba"] for risk in Risk}}


@pytest.fixture
def ledger(rewards: Rewards) -> Rewards:
    """Staging, where a DBA is asked, with a ledger of two rows and a migration that gives them a note."""
    with rewards.connect() as opened:
        opened.execute("CREATE TABLE ledger (id int PRIMARY KEY, points int NOT NULL)")
        opened.execute("INSERT INTO ledger VALUES (1, 10), (2, 20)")
    rewards.write("001_note", FORWARD, BACK)
    rewards.sync()
    return rewards


def policy(rewards: Rewards, **more: object) -> None:
    change_policy(rewards.staging.environment, rules=ASKS | more, reason="For a test", actor=actor("lee"))


def deployed(rewards: Rewards) -> Job:
    """Return the job of a run that was rehearsed, approved and executed."""
    run = rewards.plan()
    rehearsed(run, PROOF, run.requested_by)
    Environment.objects.update(rehearsal_connection="")
    rewards.approve(run, "lee")
    return rewards.execute(rewards.start(run))


def counted(rewards: Rewards, run: MigrationRun):
    rewards.observe(rewards.staging)
    for wish in request_script_price(run, actor=actor("noor")):
        assert answer_request(wish.pk)
    return cost_of(run, draft_rollback(run).entries)


def press(run: MigrationRun) -> MigrationRun:
    digest = draft_rollback(run).digest
    return roll_back(run, reason="It broke", request_key=uuid.uuid4(), digest=digest, actor=actor("noor"))


def notes(rewards: Rewards) -> list[tuple]:
    with rewards.connect() as opened:
        return opened.execute("SELECT attname::text FROM pg_attribute WHERE attrelid = 'ledger'::regclass"
                              " AND attnum > 0 AND NOT attisdropped").fetchall()  # fmt: skip


def test_what_the_run_wrote_is_no_loss_and_one_person_takes_it_back_alone(ledger):
    policy(ledger)
    job = deployed(ledger)
    assert job.state == JobState.SUCCEEDED, job.error

    cost = counted(ledger, job.run)

    (note,) = cost.going
    assert (note["name"], note["count"], note["lost"]) == ("ledger.note", 2, 0)
    assert (cost.unfit, cost.beyond, cost.loses) == ((), "", False)
    assert cost.fitting == 1
    back = press(job.run)
    assert back.state == RunState.QUEUED
    undone = ledger.execute(back.jobs.get())
    assert undone.state == JobState.SUCCEEDED, undone.error
    assert notes(ledger) == [("id",), ("points",)]
    step = Step.objects.get(job=undone, name="count")
    assert step.summary.startswith("Dropped: 2 values of ledger.note, of which 0 are lost.")


def test_what_others_wrote_meanwhile_stops_it_before_anything_is_changed(ledger):
    policy(ledger)
    job = deployed(ledger)
    counted(ledger, job.run)
    back = press(job.run)
    with ledger.connect() as app:
        app.execute("UPDATE ledger SET note = 'mine' WHERE id = 1; INSERT INTO ledger VALUES (3, NULL), (4, NULL)")

    stopped = ledger.execute(back.jobs.get())

    assert (stopped.state, stopped.error_code, stopped.applied) == (JobState.FAILED, "loses-more-now", 0)
    assert stopped.error.startswith("At most 1 values of ledger.note would be lost on ")
    assert ("note",) in notes(ledger)
    cost = counted(ledger, job.run)
    assert cost.beyond == "At most 1 values of ledger.note are lost."
    assert [(one["what"], one["count"]) for one in cost.unfit] == [("ledger.points is NULL", 2)]
    again = press(job.run)
    assert (again.state, again.plan["requirements"]["approvals"]) == (RunState.AWAITING, ["dba"])
    ledger.approve(again, "lee")
    undone = ledger.execute(ledger.start(again))
    # Who decides accepts what it costs. What does not fit stops the script, and nothing is changed.
    assert (undone.error_code, undone.applied) == ("statement-failed", 0)
    assert ("note",) in notes(ledger)


def deployed_plainly(rewards: Rewards) -> Job:
    return rewards.execute(rewards.start(rewards.plan()))


def test_an_unhealthy_run_is_rolled_back_by_itself_where_the_policy_says_so_and_nothing_is_lost(ledger):
    policy(ledger, automatic_rollback=["unhealthy"])
    with running(in_turn(answering(), answering(status=503))) as app:
        HealthCheck.objects.create(environment=ledger.staging.environment, url=app.url())
        job = deployed(ledger)
        assert (job.state, job.error_code) == (JobState.FAILED, "unhealthy")

        back = MigrationRun.objects.get(kind="rollback")
        assert (back.state, back.reverts, back.requested_by.username) == (RunState.QUEUED, job.run, "dana")
        assert list(job.run.reverted_by.all()) == [back]
        undone = ledger.execute(back.jobs.get())

    assert undone.applied == 1, undone.error
    assert notes(ledger) == [("id",), ("points",)]
    assert AuditEvent.objects.get(action="run.rolled-back-alone").after["automatic"] == "unhealthy"
    assert MigrationRun.objects.filter(kind="rollback").count() == 1  # it is not rolled back in its turn


def test_nothing_begins_by_itself_that_was_not_proven(ledger):
    policy(ledger, automatic_rollback=["unhealthy"])
    with running(in_turn(answering(), answering(status=503))) as app:
        HealthCheck.objects.create(environment=ledger.staging.environment, url=app.url())
        run = ledger.plan()
        ledger.approve(run, "lee")
        job = ledger.execute(ledger.start(run))

    assert job.error_code == "unhealthy"
    assert not MigrationRun.objects.filter(kind="rollback").exists()
    told = AuditEvent.objects.get(action="run.not-rolled-back-by-itself")
    assert "its way back is not rehearsed with exactly these scripts." in told.reason


@pytest.fixture
def authority(tmp_path, monkeypatch) -> Iterator[trustme.CA]:
    made = trustme.CA()
    made.cert_pem.write_to_path(tmp_path / "authority.pem")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "authority.pem"))
    monkeypatch.setenv("ROLLBACK_KEY", "of tests only")
    return made


HOOKED = {"ROLLBACK_HOOK_KEY": "env:ROLLBACK_KEY"}


def taking(status: int) -> Behaviour:
    """Take a message with its body, and answer with this status."""

    def behave(opened: socket.socket, application: Application) -> None:
        taken = b""
        while b"\r\n\r\n" not in taken:
            taken += opened.recv(4096)
        head, _, body = taken.partition(b"\r\n\r\n")
        length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
        while len(body) < length:
            body += opened.recv(4096)
        application.requests.append((head + b"\r\n\r\n" + body).decode())
        opened.sendall(b"HTTP/1.1 %d Told\r\nContent-Length: 0\r\n\r\n" % status)

    return behave


def test_the_deployment_system_is_told_with_a_signature_and_the_earlier_version_is_waited_for(ledger, authority):
    versions = in_turn(*(answering_json({"version": one}) for one in ("v1", "v2", "v2", "v2", "v1", "v1")))
    with running(versions) as app, running(taking(202), tls=certified(authority, "127.0.0.1")) as hook:
        HealthCheck.objects.create(environment=ledger.staging.environment, url=app.url(), version_path="version")
        job = deployed_plainly(ledger)
        setup.set_rollback_hook(ledger.staging.environment, url=hook.url("/back", scheme="https"), actor=actor("lee"))
        keep_version(ledger.staging.environment, "v2", actor=EXECUTOR)
        undone = ledger.execute(ledger.start(ledger.plan_rollback(job.run)), **HOOKED)

    assert undone.state == JobState.SUCCEEDED, undone.error
    step = Step.objects.get(job=undone, name="application")
    assert (step.state, step.evidence["hook"]["to"], step.evidence["version"]["seen"]) == ("succeeded", "v1", "v1")
    (request,) = hook.requests
    head, _, body = request.partition("\r\n\r\n")
    headers = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
    assert head.startswith("POST /back HTTP/1.1")
    signed = f"{headers['locktender-timestamp']}.".encode() + body.encode()
    expected = hmac.new(b"of tests only", signed, hashlib.sha256).hexdigest()
    assert headers["locktender-signature"] == f"v1={expected}"
    told = json.loads(body)
    assert (told["event"], told["from_version"], told["to_version"], told["reverts"]) == (
        "rollback", "v2", "v1", job.run.number,
    )  # fmt: skip
    assert "of tests only" not in str(step.evidence) + step.summary


def test_a_hook_that_fails_is_told_and_holds_nothing_up(ledger, authority):
    job = deployed_plainly(ledger)
    with running(taking(500), tls=certified(authority, "127.0.0.1")) as hook:
        setup.set_rollback_hook(ledger.staging.environment, url=hook.url("/back", scheme="https"), actor=actor("lee"))
        undone = ledger.execute(ledger.start(ledger.plan_rollback(job.run)), **HOOKED)

    assert undone.state == JobState.SUCCEEDED, undone.error
    step = Step.objects.get(job=undone, name="application")
    assert (step.state, len(hook.requests)) == ("skipped", 1)
    assert "It answered with status 500. The way back goes on" in step.summary


def test_a_hook_is_told_over_https_alone(ledger):
    environment = ledger.staging.environment
    with pytest.raises(HealthCheckUnusable, match="https"):
        setup.set_rollback_hook(environment, url="http://deploy.example/back", actor=actor("lee"))
    with pytest.raises(HealthCheckUnusable, match="never asked"):
        setup.set_rollback_hook(environment, url="https://169.254.169.254/", actor=actor("lee"))
    with pytest.raises(NotAllowed):
        setup.set_rollback_hook(environment, url="https://deploy.example/back", actor=actor("noor"))
    with refused_by("environment_rollback_hook_is_https"):
        Environment.objects.filter(pk=environment.pk).update(rollback_hook="http://deploy.example/")


def test_a_target_without_a_connection_left_is_waited_for(ledger, monkeypatch):
    job = deployed_plainly(ledger)
    back = ledger.start(ledger.plan_rollback(job.run))
    whole, refusals = takeover.session, [NoConnectionLeft(target="staging")] * 2

    def session(*args: object, **options: object):
        if refusals:
            raise refusals.pop()
        return whole(*args, **options)

    monkeypatch.setattr(takeover, "session", session)
    monkeypatch.setattr(takeover, "PAUSE_SECONDS", 0.01)

    assert ledger.execute(back).state == JobState.SUCCEEDED
    assert not refusals

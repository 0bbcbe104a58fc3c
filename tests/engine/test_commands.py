"""The whole way by commands, as a person types them, with a dispatcher and without Redis."""

import os
import subprocess
import sys
from io import StringIO

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from tests.engine.processes import dispatcher

WITHOUT_REDIS = {"REDIS_URL": "redis://127.0.0.1:9/0"}


@pytest.fixture
def manage(rewards):
    """Run one management command in this process; returns what it printed and its exit status."""

    def run(*arguments: str) -> tuple[str, int]:
        out = StringIO()
        try:
            call_command(*arguments, stdout=out, stderr=out)
        except CommandError as refusal:
            return f"{out.getvalue()}CommandError: {refusal}\n", refusal.returncode
        return out.getvalue(), 0

    return run


@pytest.fixture
def typed(rewards):
    """Run one management command as a process of its own, as a person does."""

    def run(*arguments: str) -> tuple[str, int]:
        ended = subprocess.run(
            [sys.executable, settings.BASE_DIR / "manage.py", *arguments],
            env=os.environ | rewards.environment | WITHOUT_REDIS,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert "Traceback" not in ended.stderr, ended.stderr
        return ended.stdout + ended.stderr, ended.returncode

    return run


def test_sync_plan_approve_start_and_follow(rewards, manage):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)", "DROP TABLE ledger")
    rewards.write("002_required", "ALTER TABLE ledger ADD points int NOT NULL", "ALTER TABLE ledger DROP points")
    assert rewards.production.environment.is_protected

    with dispatcher(rewards.environment | WITHOUT_REDIS):
        said, _ = manage("sync", "rewards", "--as", "dana")
        assert said.startswith("rewards: 2 migrations, 2 new.")
        said, _ = manage("plan", "rewards/staging", "--reason", "Points", "--as", "dana")
        assert said.startswith("Run #1: deploy of 2 on rewards/staging, controlled.")
        manage("start", "1", "--as", "dana")
        said, status = manage("follow", "1")
        assert (status, "  staging: succeeded, all applied" in said.splitlines()) == (0, True), said

        said, _ = manage("plan", "rewards/production", "--reason", "Points", "--as", "dana")
        assert "  waits: Waits for approval by 1 DBA." in said
        digest = said.split("digest ")[1].split()[0]
        said, status = manage("start", "2", "--as", "dana")
        assert (status, "not-yet: Run #2 cannot start yet." in said) == (1, True)
        said, status = manage("approve", "2", "--digest", digest, "--as", "dana")
        assert (status, "not-allowed: You may not approve or reject this run" in said) == (1, True)
        said, _ = manage("approve", "2", "--digest", digest, "--as", "lee")
        assert said == "Run #2 approved by lee as dba.\n"
        assert manage("start", "2", "--as", "dana") == ("Run #2 is queued.\n", 0)
        said, status = manage("follow", "2")
        assert (status, "  production: succeeded, all applied" in said.splitlines()) == (0, True), said

        said, _ = manage("plan", "rewards/staging", "--rollback", "1", "--reason", "It broke", "--as", "noor")
        assert said.startswith("Run #3: rollback of 2 on rewards/staging")
        manage("start", "3", "--as", "noor")
        said, status = manage("follow", "3")
        assert (status, "  staging: succeeded, all rolled back" in said.splitlines()) == (0, True), said

    assert rewards.tables(rewards.staging) == set()
    assert rewards.tables(rewards.production) == {"ledger"}


def test_a_failed_run_ends_the_command_with_the_servers_words(rewards, manage, typed):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.write("002_bad", "ALTER TABLE ledger\n ADD points int DEFAULT nonsense()")
    with dispatcher(rewards.environment | WITHOUT_REDIS):
        manage("sync", "rewards", "--as", "dana")
        manage("plan", "rewards/staging", "--reason", "Points", "--as", "dana")
        manage("start", "1", "--as", "dana")
        said, status = typed("follow", "1")

    assert status == 1
    assert "staging: failed, 1 of 2 applied Statement 1 of 002_bad (line 1) failed" in said
    assert "function nonsense() does not exist (SQLSTATE 42883)" in said
    assert rewards.tables() == {"ledger"}


@pytest.mark.parametrize(
    ("arguments", "refusal"),
    [
        (("plan", "rewards/nowhere", "--reason", "x", "--as", "dana"), "not-found: There is no environment"),
        (("sync", "nothing", "--as", "dana"), "not-found: There is no application nothing"),
        (("start", "99", "--as", "dana"), "not-found: There is no run #99"),
        (("start", "99", "--as", "nobody"), "not-found: There is no"),
        (("add", "database", "rewards/staging/x", "--connection", "postgresql://u:p@h/d"), "not-a-reference:"),
        (("add", "application", "rewards", "--source", "folder:x"), "already-there:"),
        (("add", "application", "other", "--source", "folder:x", "--layout", "nope"), "layout-unknown:"),
        (("add", "application", "other", "--source", "folder:x", "--layout", "goose"), "layout-not-deployable:"),
        (("execute_job", "0"), "Job 0 is not to be had now."),
    ],
)
def test_a_refusal_has_its_code_and_no_traceback(manage, arguments, refusal):
    said, _ = manage(*arguments)

    assert refusal in said
    assert "u:p@h" not in said


def test_the_sql_that_prepares_a_target_is_printed(typed):
    said, status = typed("target", "rewards/staging/staging")

    assert status == 0
    assert said.startswith("BEGIN;\nCREATE SCHEMA locktender;")
    assert said.rstrip().endswith("COMMIT;")

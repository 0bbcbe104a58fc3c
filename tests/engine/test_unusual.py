"""Files that are not one transaction, or change who acts: refused or told, as the policy of the environment says."""

import re

import pytest

from deployments.planning import PlanBlocked
from deployments.services.policy import change_policy
from tests.engine.conftest import Rewards, actor

BY_NAME = "CREATE INDEX CONCURRENTLY by_name ON users (name)"
DECLARED = f"-- locktender: no-transaction\nCREATE TABLE more (id int); {BY_NAME}"
UNUSUAL = [
    (DECLARED, "mixed-transaction"),
    ("BEGIN; CREATE TABLE more (id int); SAVEPOINT a; RELEASE a; COMMIT", "transaction-control"),
    ("SET ROLE NONE; CREATE TABLE more (id int)", "session-role-change"),
    ("SET session_replication_role = replica; CREATE TABLE more (id int)", "session-role-change"),
    ("CREATE TABLE more (id int); COPY more FROM PROGRAM 'true'", "copy-program"),
    ("ALTER SYSTEM SET work_mem = '8MB'", "server-wide-change"),
    ("CREATE DATABASE other", "server-wide-change"),
    ("CREATE TABLESPACE other LOCATION '/nowhere'", "server-wide-change"),
]


@pytest.fixture
def users(rewards) -> Rewards:
    for database in (rewards.staging, rewards.production):
        with rewards.connect(database) as opened:
            opened.execute("CREATE TABLE users (id int, name text)")
    return rewards


def test_what_is_unusual_is_refused_in_a_protected_environment_and_told_with_a_higher_class_elsewhere(users):
    for text, code in UNUSUAL:
        users.write("001_unusual", text)
        users.sync()

        with pytest.raises(PlanBlocked) as refused:
            users.plan(users.production)
        assert code in {finding.code for _, finding in refused.value.blocking}, text

        run = users.plan(users.staging)
        told = {one["code"]: one["severity"] for one in run.judgement["migrations"]["001_unusual"]["findings"]}
        assert told[code] == "warning", text
        assert run.plan["class"] == ("controlled" if text is DECLARED else "high-risk"), text
    assert users.history() == []


def test_the_policy_of_an_environment_says_whether_it_is_refused(users):
    users.write("001_unusual", "SET ROLE NONE; CREATE TABLE more (id int)")
    users.sync()
    change_policy(users.staging.environment, rules={"strict_scripts": True}, reason="As production", actor=actor("lee"))

    with pytest.raises(PlanBlocked):
        users.plan(users.staging)


def test_a_declared_mixed_file_runs_statement_by_statement_and_a_wrapped_one_in_one_transaction(users):
    users.write(
        "001_mixed", DECLARED, "-- locktender: no-transaction\nDROP INDEX CONCURRENTLY by_name; DROP TABLE more"
    )
    users.write("002_wrapped", "BEGIN; CREATE TABLE again (id int); CREATE TABLE last (id int); COMMIT")

    job = users.deploy()

    assert (job.state, users.tables()) == ("succeeded", {"users", "more", "again", "last"}), users.output
    with users.connect() as opened:
        done = opened.execute(
            "SELECT migration, position, state FROM locktender.statement ORDER BY position"
        ).fetchall()
    assert done == [("001_mixed", 1, "done"), ("001_mixed", 2, "done")]
    back = users.execute(users.start(users.plan_rollback(job.run)))
    assert (back.state, users.tables()) == ("succeeded", {"users", "again", "last"}), users.output


def test_a_wrapped_file_that_fails_leaves_nothing_although_it_says_commit(users):
    users.write("001_wrapped", "BEGIN; CREATE TABLE again (id int); SELECT 1/0; COMMIT")

    job = users.deploy()

    assert (job.state, users.tables(), users.history()) == ("failed", {"users"}, [])


def test_the_split_of_a_mixed_file_is_written_out_and_runs_as_it_is_written(users):
    users.write("007_mixed", f"CREATE TABLE more (id int);\n{BY_NAME};\nCREATE TABLE again (id int);")
    users.sync()
    with pytest.raises(PlanBlocked) as refused:
        users.plan(users.production)
    told = str(refused.value)

    files = re.findall(r"^-- (\S+)\.up\.sql, .*\n((?:(?!-- ).*;\n?)+)", told, re.MULTILINE)
    assert [name for name, _ in files] == ["007_mixed", "008_mixed", "009_mixed"]
    for name, text in files:
        users.write(name, text)
    assert users.deploy().state == "succeeded"
    assert users.tables() == {"users", "more", "again"}

"""Whose database it is: what is not ours, not where it was, or not what it says, is refused and left alone."""

import os
import uuid

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from deployments.actors import COMMAND_LINE
from deployments.errors import DeploymentError
from deployments.models import ControlPlane, Observation
from deployments.pipelines.observing import target_of
from deployments.postgres.connect import session
from deployments.postgres.errors import (
    CopiedDatabase,
    OtherControlPlane,
    SchemaAlreadyThere,
    SecretMissing,
    TargetSchemaMissing,
)
from deployments.postgres.ledger import install, installation_sql, require_ours
from deployments.services import setup
from deployments.services.observe import IdentityMoved, IdentityTaken, IsControlDatabase
from tests.engine.conftest import MIGRATOR
from tests.servers import SUPERUSER_URL


def require(database) -> None:
    """What an executor asks first of all."""
    target = target_of(database)
    with session(target) as opened:
        require_ours(opened, target, control_plane_id=ControlPlane.objects.get().pk)


def drop_schema(rewards) -> None:
    with rewards.connect() as opened:
        opened.execute("DROP SCHEMA locktender CASCADE")


def point(monkeypatch, database, **changes: str) -> None:
    """Change where the connection of a database leads, as somebody does who edits a secret."""
    variable = database.connection.removeprefix("env:")
    monkeypatch.setenv(variable, make_conninfo(os.environ[variable], **changes))


@pytest.fixture
def copy(rewards, superuser) -> str:
    """The name of a copy of staging, as a restored backup is one."""
    name = f"{rewards.control}_copy"
    superuser.execute(
        sql.SQL("CREATE DATABASE {} TEMPLATE {} OWNER {}").format(
            *(sql.Identifier(one) for one in (name, f"{rewards.control}_staging", MIGRATOR))
        )
    )
    yield name
    superuser.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_a_target_without_our_schema_is_refused_with_the_sql_that_makes_it_one_of_ours(rewards):
    drop_schema(rewards)

    with pytest.raises(TargetSchemaMissing) as refused:
        require(rewards.staging)

    assert str(refused.value).endswith(refused.value.sql)
    with rewards.connect() as opened:
        opened.execute(refused.value.sql)
    require(rewards.staging)
    assert rewards.history() == []


def test_a_run_on_a_target_without_our_schema_fails_and_changes_nothing(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    drop_schema(rewards)

    job = rewards.deploy()

    assert (job.state, job.error_code, job.applied) == ("failed", "target-schema-missing", 0), rewards.output
    assert "CREATE SCHEMA locktender;" in job.error
    assert rewards.tables() == set()


def test_the_schema_is_not_made_twice_and_what_it_held_stays(rewards):
    plane = ControlPlane.objects.get().pk
    with rewards.connect() as opened:
        opened.execute("UPDATE locktender.fence SET fence = 41")

    with pytest.raises(SchemaAlreadyThere, match="Never drop it"):
        install(target_of(rewards.staging), installation_sql(control_plane_id=plane, database_id=rewards.staging.pk))

    with rewards.connect() as opened:
        assert opened.execute("SELECT fence FROM locktender.fence").fetchone() == (41,)


def test_a_copy_is_recognised_by_its_mark_and_never_trusted(rewards, copy, monkeypatch):
    point(monkeypatch, rewards.staging, dbname=copy)

    with pytest.raises(CopiedDatabase) as refused:
        require(rewards.staging)

    assert f"it is marked as {rewards.control}_staging of system" in str(refused.value)
    assert f"but is {copy} of system" in str(refused.value)


def test_a_mark_of_another_entry_here_is_a_copy_too(rewards, monkeypatch):
    point(monkeypatch, rewards.production, dbname=f"{rewards.control}_staging")

    with pytest.raises(CopiedDatabase, match=f"it is marked as database {rewards.staging.pk} here"):
        require(rewards.production)


def test_a_target_of_another_installation_is_left_to_it(rewards):
    drop_schema(rewards)
    other = uuid.uuid4()
    install(target_of(rewards.staging), installation_sql(control_plane_id=other, database_id=rewards.staging.pk))

    with pytest.raises(OtherControlPlane):
        require(rewards.staging)

    with rewards.connect() as opened:
        assert opened.execute("SELECT control_plane_id FROM locktender.meta").fetchone() == (other,)


def test_the_control_database_is_no_target(rewards, superuser, monkeypatch):
    superuser.execute(
        sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(*map(sql.Identifier, (rewards.control, MIGRATOR)))
    )
    point(monkeypatch, rewards.staging, dbname=rewards.control)

    with pytest.raises(IsControlDatabase) as refused:
        rewards.observe(rewards.staging)

    assert refused.value.code == "is-control-database"
    assert str(refused.value).startswith("rewards/staging/staging leads to Locktender's own control database.")
    rewards.staging.refresh_from_db()
    assert rewards.staging.system_identifier == ""
    assert not Observation.objects.exists()


def test_one_server_database_stands_behind_one_entry_only(rewards):
    rewards.observe(rewards.staging)
    twin = setup.add_database(
        rewards.production.environment,
        "twin",
        connection=rewards.staging.connection,
        owner_role="",
        actor=COMMAND_LINE,
    )

    with pytest.raises(IdentityTaken):
        rewards.observe(twin)

    twin.refresh_from_db()
    assert twin.system_identifier == ""
    assert Observation.objects.get().database == rewards.staging


def test_a_connection_that_leads_elsewhere_than_before_is_refused(rewards, copy, monkeypatch):
    rewards.observe(rewards.staging)
    point(monkeypatch, rewards.staging, dbname=copy)

    with pytest.raises(IdentityMoved) as refused:
        rewards.observe(rewards.staging)

    assert f"was {rewards.control}_staging of system" in str(refused.value)
    assert f"is now {copy} of system" in str(refused.value)
    assert Observation.objects.count() == 1


def test_a_connection_that_moves_between_plan_and_start_runs_nothing_there(rewards, copy, monkeypatch):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    rewards.sync()
    job = rewards.start(rewards.plan())
    point(monkeypatch, rewards.staging, dbname=copy)

    job = rewards.execute(job)

    assert (job.state, job.error_code, job.applied) == ("failed", "copied-database", 0), rewards.output
    assert rewards.tables() == set()  # of the copy, where the connection leads now
    with psycopg.connect(make_conninfo(os.environ[SUPERUSER_URL], dbname=f"{rewards.control}_staging")) as opened:
        assert opened.execute("SELECT to_regclass('public.ledger')").fetchone() == (None,)
        assert opened.execute("SELECT count(*) FROM locktender.history").fetchone() == (0,)


def test_a_secret_that_is_gone_is_named_by_its_reference(rewards, monkeypatch):
    monkeypatch.delenv("REWARDS_STAGING")

    with pytest.raises(SecretMissing, match="The connection env:REWARDS_STAGING cannot be read on this worker"):
        rewards.observe(rewards.staging)


def test_a_role_that_may_not_act_as_the_owner_stops_the_run_in_preflight(rewards):
    rewards.write("001_ledger", "CREATE TABLE ledger (id int)")
    type(rewards.staging).objects.filter(pk=rewards.staging.pk).update(owner_role="pg_monitor")

    job = rewards.deploy()

    assert (job.state, job.error_code) == ("failed", "privilege-missing"), rewards.output
    assert f'GRANT "pg_monitor" TO "{MIGRATOR}"' in job.error
    assert [(step.name, step.state) for step in job.steps.all()] == [("preflight", "failed")]
    assert rewards.tables() == set()


def test_no_refusal_about_a_target_shows_its_password(rewards, monkeypatch, caplog):
    for changes in ({"port": "1"}, {"dbname": "nowhere"}, {"user": "nobody"}, {"sslmode": "require"}):
        with monkeypatch.context() as elsewhere:
            point(elsewhere, rewards.staging, **changes)
            with pytest.raises(DeploymentError) as refused:
                rewards.observe(rewards.staging)
        assert "of-tests-only" not in str(refused.value) + caplog.text


def test_a_locked_table_does_not_hold_up_reading_a_target(rewards):
    with rewards.connect() as application:
        application.execute("CREATE TABLE unrelated (id int)")
        application.execute("BEGIN; LOCK TABLE unrelated IN ACCESS EXCLUSIVE MODE")

        assert rewards.observe(rewards.staging).sizes == {"public.unrelated": {"bytes": 0, "rows_estimated": None}}

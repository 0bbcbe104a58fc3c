"""A backup that a driver makes: what of it is ours, what is its word, and that no step takes it for one of ours."""

import os
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from psycopg.conninfo import make_conninfo

from controlplane.configuration import BackupDriver
from deployments.models import AuditEvent, Backup, BackupCheck, Job
from deployments.pipelines.steps.backup import BackUp
from deployments.pipelines.steps.preflight import Preflight
from deployments.pipelines.tending import tend_backups
from deployments.postgres.backup.command import DriverFailed, DriverUnknown, DriverUnusable
from deployments.selectors.backups import backups_of
from deployments.selectors.restores import closed, source_of
from deployments.startup import check_backup_drivers
from tests.engine.backups import asks_for_verified_backup, ctx_of, store_of
from tests.servers import SUPERUSER_URL

MADE = '{"protocol": 1, "restore_point": "pitr-7", "backup": "base-1", "bytes": 4000000000, "said": "all is well"}'
TRIED = MADE.replace('"said"', '"verifies": true, "said"')


@pytest.fixture
def driver(tmp_path, monkeypatch):
    """Return a function that has the program of the driver "mine" answer each phase so."""
    path = tmp_path / "driver"

    def answers(**by_phase: str) -> Path:
        cases = " ".join(f"*'\"phase\": \"{phase}\"'*) echo '{answer}';;" for phase, answer in by_phase.items())
        body = f'read asked; echo "$asked" >> {path}.asked; case "$asked" in {cases} *) exit 9;; esac'
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        return path

    known = {"mine": BackupDriver(command=path, timeout=timedelta(seconds=20))}
    monkeypatch.setattr(settings.CONFIGURATION, "backup_drivers", known)
    return answers


@pytest.fixture
def ctx(rewards):
    """What the steps of a claimed job may use, whose plan has a backup made by the driver "mine" and tried."""
    rewards.write("001_points", "CREATE TABLE points (id int)", "DROP TABLE points")
    rewards.sync()
    asks_for_verified_backup(rewards)
    rules = {"backup": True, "verified_backup_gb": 1, "backup_driver": "mine"}
    rewards.staging.environment.policies.create(version=3, rules=rules, reason="For a test")
    return ctx_of(rewards, rewards.start(rewards.plan()))[0]


def test_what_a_driver_made_is_kept_as_its_word_and_is_no_backup_that_we_could_restore(ctx, driver):
    path = driver(backup=MADE)

    result = BackUp().run(ctx)

    kept = Backup.objects.get()
    assert (kept.scope, kept.level, kept.driver, kept.restore_point) == ("server", "driver", "mine", "pitr-7")
    assert (kept.bytes, result.evidence["driver_backup"]) == (4_000_000_000, "base-1")
    assert result.summary.startswith("Made by the driver mine: restore point pitr-7. Not restored by us.")
    assert not BackupCheck.objects.exists()
    assert source_of(ctx.job.run) is None
    assert "restore point pitr-7" in closed(ctx.job.run, None)
    (shown,) = backups_of(ctx.job.database, days=14, count=3)
    assert (shown.state, shown.word) == ("not-measured", "Made by mine, not restored by us")
    assert AuditEvent.objects.get(action="backup.kept").after["restore_point"] == "pitr-7"
    assert '"restore_point": ""' in Path(f"{path}.asked").read_text()  # the role may not write one

    again = BackUp().run(ctx)
    assert again.evidence["place"] == kept.place
    assert len(Path(f"{path}.asked").read_text().splitlines()) == 1  # a second attempt takes what is there


def test_the_restore_point_is_ours_where_the_role_may_write_it(ctx, driver, rewards):
    with rewards.connect() as mine:
        url = make_conninfo(os.environ[SUPERUSER_URL], dbname=mine.info.dbname)
    with psycopg.connect(url, autocommit=True) as superuser:
        superuser.execute("GRANT EXECUTE ON FUNCTION pg_create_restore_point(text) TO PUBLIC")
    driver(backup='{"protocol": 1}')

    result = BackUp().run(ctx)

    name = f"lkt_{ctx.control_plane_id.hex[:8]}_{ctx.job.pk}_{ctx.holder.fence}"
    assert (result.evidence["restore_point"], result.evidence["restore_point_is_ours"]) == (name, True)


@pytest.mark.parametrize(
    ("answers", "why"),
    [
        ({"backup": '{"protocol": 1}'}, "names no restore point"),
        ({"backup": MADE.replace('"pitr-7"', "7")}, '"restore_point" of its answer must be a text'),
        ({"backup": TRIED, "verify": '{"protocol": 1, "verified": false, "said": "the log ends"}'}, "the log ends"),
        ({}, "it ended with 9"),
    ],
)
def test_a_driver_that_has_no_way_back_stops_the_run(ctx, driver, answers, why):
    driver(**answers)

    with pytest.raises(DriverFailed, match=why):
        BackUp().run(ctx)

    assert {check.outcome for check in BackupCheck.objects.all()} <= {"damaged"}
    assert not [place for place in store_of_job(ctx) if place.endswith(".tmp")]


def store_of_job(ctx) -> list[str]:
    return [path.name for path in ctx.artifacts.root.rglob("*")]


def test_a_driver_that_restored_it_is_quoted_and_it_is_still_not_called_verified(ctx, driver):
    driver(backup=TRIED, verify='{"protocol": 1, "verified": true, "said": "on standby-7"}')

    result = BackUp().run(ctx)

    assert "The driver says it restored it: on standby-7" in result.summary
    assert (result.evidence["level"], BackupCheck.objects.get().outcome) == ("driver", "vouched")
    (shown,) = backups_of(ctx.job.database, days=14, count=3)
    assert (shown.state, shown.word) == ("not-measured", "Restored by its driver, as that says")


def test_every_day_the_driver_is_asked_whether_it_is_still_there(ctx, driver, monkeypatch, rewards):
    monkeypatch.setattr(settings.CONFIGURATION, "artifacts", store_of(rewards).root)
    driver(backup=MADE)
    BackUp().run(ctx)
    Job.objects.filter(pk=ctx.job.pk).update(state="succeeded")

    for answer, list_ in (("true", "readable"), ("false", "damaged")):
        driver(check=f'{{"protocol": 1, "there": {answer}}}')
        assert len(getattr(tend_backups(), list_)) == 1
    monkeypatch.setattr(settings.CONFIGURATION, "backup_drivers", {})
    assert len(tend_backups().unreachable) == 1  # who cannot be asked has said nothing


def test_a_driver_that_is_not_known_or_may_not_be_run_is_refused_before_anything_is_changed(ctx, driver, monkeypatch):
    path = driver(backup=MADE)
    assert check_backup_drivers(None) == []
    path.chmod(0o777)
    with pytest.raises(DriverUnusable, match="everybody may write it"):
        Preflight().run(ctx)
    assert [error.id for error in check_backup_drivers(None)] == ["deployments.E001"]

    monkeypatch.setattr(settings.CONFIGURATION, "backup_drivers", {})
    with pytest.raises(DriverUnknown, match="It has none"):
        Preflight().run(ctx)

    assert not Path(f"{path}.asked").exists()

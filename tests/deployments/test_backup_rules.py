"""What the control database holds about backups and health checks by itself."""

import pytest
from django.db.models.functions import Now

from deployments.models import Backup, HealthCheck
from tests.deployments.cast import Cast
from tests.deployments.refusals import not_permitted, refused_by


def backup(cast: Cast, **fields: object) -> Backup:
    return Backup.objects.create(
        **{
            "job": cast.job(),
            "scope": "database",
            "place": "run-1/job-1/fence-1",
            "level": "readable",
            "bytes": 1,
            "files": 1,
            "snapshot_at": Now(),
            "snapshot_lsn": "0/1",
            "server_version": 180006,
            "client_version": "18.6",
            "manifest_sha256": "0" * 64,
        }
        | fields
    )


def test_a_backup_is_kept_as_it_was_written(cast: Cast):
    kept = backup(cast)

    with not_permitted():
        Backup.objects.update(level="equal")
    with not_permitted():
        Backup.objects.all().delete()
    with refused_by("backup_append_only", using="owner"):
        Backup.objects.using("owner").filter(pk=kept.pk).update(level="equal")


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"scope": "half"}, "backup_scope_known"),
        ({"level": "verified"}, "backup_level_known"),
        ({"bytes": 0}, "backup_not_empty"),
        ({"files": 0}, "backup_not_empty"),
    ],
)
def test_a_backup_that_makes_no_sense_is_refused(cast: Cast, fields, rule):
    with refused_by(rule):
        backup(cast, **fields)
    assert not Backup.objects.exists()


def test_one_place_holds_one_backup(cast: Cast):
    first = backup(cast)

    with refused_by("deployments_backup_place_key"):
        backup(cast, job=first.job)


def test_a_health_check_asks_something_that_can_be_answered(cast: Cast):
    with refused_by("health_status_is_http"):
        HealthCheck.objects.create(environment=cast.staging, url="http://shop.example/health", status=42)
    with refused_by("health_value_has_its_path"):
        HealthCheck.objects.create(environment=cast.staging, url="http://shop.example/health", json_value="ok")
    HealthCheck.objects.create(environment=cast.staging, url="http://shop.example/health")
    with refused_by("deployments_healthcheck_environment_id_key"):
        HealthCheck.objects.create(environment=cast.staging, url="http://shop.example/other")

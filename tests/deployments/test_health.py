"""What an orchestrator asks: whether the process lives, and whether it can do its work."""

import json

from django.db import connection
from django.test import RequestFactory

from deployments.views.health import livez, readyz

ASKED = RequestFactory().get("/readyz")


def test_a_process_with_a_current_control_database_is_ready(database: str):
    answer = readyz(ASKED)

    assert (answer.status_code, json.loads(answer.content)) == (200, {"status": "ready"})


def test_a_control_database_that_is_away_is_said(database: str):
    connection.close()
    connection.settings_dict["NAME"] = "is_not_there"

    answer = readyz(ASKED)

    assert (answer.status_code, json.loads(answer.content)) == (503, {"status": "control database unreachable"})
    assert livez(ASKED).status_code == 200


def test_migrations_that_cannot_be_read_are_said(database: str, superuser_here):
    superuser_here.execute("REVOKE SELECT ON django_migrations FROM PUBLIC, locktender_app")

    answer = readyz(ASKED)

    assert (answer.status_code, json.loads(answer.content)) == (503, {"status": "control database unreadable"})

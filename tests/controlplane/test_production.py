"""An installation as in production, from new secrets to pages: the processes that the compose file names."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
import urllib3

from controlplane import local
from controlplane.configuration import Configuration
from controlplane.embedded import PostgresServer
from controlplane.embedded.children import Children
from controlplane.embedded.passwords import kept_password
from controlplane.embedded.processes import free_port
from controlplane.prepare import Preparation, prepare
from controlplane.readiness import is_ready, own_host
from controlplane.secrets import DATABASE_HOST, write_secrets
from tests.controlplane.compose import ROOT, compose, environment

NAMES = [name.upper() for name in (*Configuration.model_fields, *Preparation.model_fields)]


class Installation:
    """What a host has: a folder of secrets, and a PostgreSQL with a superuser and nothing else."""

    def __init__(self, folder: Path, server: PostgresServer) -> None:
        self.folder = folder
        self.server = server
        self.secrets = folder / "secrets"
        write_secrets(self.secrets)
        for name in ("database_url", "database_owner_url"):
            path = self.secrets / name
            path.write_text(path.read_text().replace(DATABASE_HOST, f"127.0.0.1:{server.port}"))
        (self.secrets / "postgres_password").write_text(kept_password(folder / "postgres.password"))

    def environment(self, service: str) -> dict[str, str]:
        """Return what a process of this service has, its secrets as variables."""
        inherited = {name: value for name, value in os.environ.items() if name not in NAMES}
        files = compose()["services"][service]["secrets"]
        given = {name.upper(): (self.secrets / name).read_text().strip() for name in files}
        mine = {"ARTIFACTS": str(self.folder / "artifacts"), "STATIC_FOLDER": str(self.folder / "static")}
        return inherited | given | environment(service) | mine

    def manage(self, *arguments: str, service: str) -> subprocess.CompletedProcess[str]:
        """Run a command as this service does."""
        return subprocess.run(
            local.manage(*arguments),
            env=self.environment(service),
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture(scope="module")
def installation(tmp_path_factory):
    """A prepared and migrated installation, with its static files collected."""
    folder = tmp_path_factory.mktemp("an installation")
    with PostgresServer(folder, durable=False, settings={"fsync": "off"}) as server:
        made = Installation(folder, server)
        with pytest.MonkeyPatch.context() as patch:
            for name in NAMES:
                patch.delenv(name, raising=False)
            for _ in range(2):  # each start prepares again
                prepare(Preparation(_secrets_dir=made.secrets))
        assert made.manage("migrate", "--verbosity=0", service="migrate").returncode == 0
        assert made.manage("collectstatic", "--noinput", "--verbosity=0", service="web").returncode == 0
        yield made


@pytest.fixture(scope="module")
def web(installation):
    """The port of a web process, behind a proxy as compose has it."""
    port = free_port()
    command = [sys.executable, *local.GUNICORN, "--bind", f"127.0.0.1:{port}"]
    with Children() as children:
        log = installation.folder / "web.log"
        children.start(
            command, known_by=local.GUNICORN[-1], environment=installation.environment("web"), cwd=ROOT, log=log
        )
        local.wait_until_ready(children, port)
        yield port


def ask(port, path, **headers):
    address = f"http://127.0.0.1:{port}{path}"
    return urllib3.request("GET", address, headers={"Host": "localhost", **headers}, timeout=30, retries=False)


def owned_by(installation, role):
    with psycopg.connect(installation.server.superuser_url("locktender")) as connection:
        return connection.execute("SELECT count(*) FROM pg_class WHERE relowner = %s::regrole", [role]).fetchone()[0]


def test_the_application_owns_nothing_and_neither_role_has_power(installation):
    with psycopg.connect(installation.server.superuser_url("locktender")) as connection:
        powers = connection.execute(
            "SELECT rolname, rolsuper OR rolcreaterole OR rolcreatedb OR rolreplication OR rolbypassrls FROM pg_roles"
            " WHERE rolname LIKE 'locktender%' ORDER BY rolname"
        ).fetchall()

    assert powers == [("locktender_app", False), ("locktender_owner", False)]
    assert owned_by(installation, "locktender_app") == 0
    assert owned_by(installation, "locktender_owner") > 0


def test_a_service_without_the_owner_cannot_migrate(installation):
    refused = installation.manage("migrate", service="web")

    assert refused.returncode == 1
    assert "owner-role-missing" in refused.stderr


def test_pages_are_served_with_their_files_by_hashed_names(web):
    page = ask(web, "/sign-in/").data.decode()
    style = re.search(r'href="(/static/css/[^"]+\.[0-9a-f]{12}\.css)"', page)[1]

    served = ask(web, style, **{"Accept-Encoding": "gzip"})

    assert served.status == 200
    assert "immutable" in served.headers["Cache-Control"]
    assert served.headers["Content-Encoding"] == "gzip"


def test_an_error_shows_no_internals(web):
    refused = ask(web, "/static/nothing-of-that-name")

    assert refused.status == 404
    assert b"DEBUG" not in refused.data


def test_behind_a_proxy_its_word_on_tls_is_believed_and_cookies_want_tls(web):
    over_tls = ask(web, "/sign-in/", **{"X-Forwarded-Proto": "https"}).headers
    plain = ask(web, "/sign-in/").headers

    assert "max-age" in over_tls["Strict-Transport-Security"]
    assert "Strict-Transport-Security" not in plain
    assert "Secure" in plain["Set-Cookie"]


def test_it_is_ready_by_a_name_it_answers_to(web):
    assert is_ready(web)
    assert not is_ready(web, host="elsewhere.example")
    assert not is_ready(free_port())
    assert [own_host(names) for names in ([], ["*"], [".example.com"], ["a.example", "b"])] == [
        "localhost",
        "localhost",
        "example.com",
        "a.example",
    ]


def test_the_health_check_of_the_container_says_the_same(web, installation):
    def status(port):
        command = [sys.executable, "-m", "controlplane.readiness", str(port)]
        return subprocess.run(command, env=installation.environment("web"), cwd=ROOT, check=False).returncode

    assert (status(web), status(free_port())) == (0, 1)


def test_its_log_is_one_json_object_per_line_without_requests_and_secrets(web, installation):
    ask(web, "/sign-in/?next=/what-somebody-looked-for/")

    written = (installation.folder / "web.log").read_text()

    assert all(line.startswith('{"event"') for line in written.splitlines())
    assert "Listening at" in written
    assert "somebody" not in written
    assert not [path.name for path in installation.secrets.iterdir() if path.read_text().strip() in written]

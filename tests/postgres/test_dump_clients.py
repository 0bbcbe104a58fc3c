"""Which pg_dump is taken: new enough, with TLS where it is asked for, without known holes where it matters."""

import os
import shutil
from pathlib import Path

import pytest

from deployments.postgres import clients
from deployments.postgres.clients import (
    Client,
    Clients,
    PgDumpKnownBad,
    PgDumpMissing,
    PgDumpTooOld,
    PgDumpWithoutTls,
    asks_for_tls,
    usual_folders,
)
from deployments.postgres.connect import Target
from deployments.postgres.errors import SecretMissing, SecretUnusable
from tests.postgres.dumps import client_in, processes

PACKAGED = next(iter(usual_folders()))  # of the package that brings the test server, built without TLS


@pytest.fixture
def installed(tmp_path, monkeypatch):
    """Return a function that puts client programs of a version where they are looked for; there are no others."""
    folders: list[Path] = []
    monkeypatch.setattr(clients, "usual_folders", lambda: folders)

    def install(version: str, *, tls: bool = True) -> Path:
        folder = tmp_path / f"client {version}"
        refusal = "" if tls else "echo 'sslmode value \"require\" invalid when SSL support is not compiled in' >&2; "
        told = f"echo 'pg_dump (PostgreSQL) {version}'"
        client_in(folder, pg_dump=f'case "$1" in --version) {told};; *) {refusal}exit 1;; esac')
        folders.append(folder)
        return folder

    return install


def taken(server: int, *, tls: bool = False, is_protected: bool = False, folder: Path | None = None) -> str:
    return Clients(folder).newest_for(server, tls=tls, is_protected=is_protected).version


def test_the_newest_is_taken(installed):
    for version in ("16.15", "18.6", "17.11"):
        installed(version)

    assert taken(160004) == "18.6"


def test_a_given_folder_comes_first_if_it_fits(installed):
    given = installed("16.15")
    installed("18.6")

    assert taken(160004, folder=given) == "16.15"
    assert taken(170000, folder=given) == "18.6"


def test_a_server_newer_than_every_client_is_refused_with_what_was_found(installed):
    installed("15.19 (Debian 15.19-0+deb12u1)")
    old = installed("12.3")

    with pytest.raises(PgDumpTooOld, match=r"The server is PostgreSQL 18, .* Found: 15\.19 in .*, 12\.3 in") as refused:
        taken(180006)

    assert str(old) in str(refused.value)


def test_without_any_client_nothing_is_dumped(installed):
    with pytest.raises(PgDumpMissing, match="no pg_dump with a pg_restore beside it"):
        taken(180006)


def test_a_pg_dump_without_pg_restore_does_not_count(installed):
    (installed("18.6") / "pg_restore").unlink()

    with pytest.raises(PgDumpMissing):
        taken(180006)


@pytest.mark.parametrize("body", ["exec sleep 600", "echo something else", "exit 1", "sleep 600 & wait"])
def test_a_program_that_does_not_say_what_it_is_is_passed_over(installed, monkeypatch, body):
    monkeypatch.setattr(clients, "PATIENCE_SECONDS", 1.0)
    folder = installed("18.6")
    client_in(folder, pg_dump=body)

    with pytest.raises(PgDumpMissing, match=f"what is in {folder} does not tell its version"):
        taken(180006)

    assert not processes(str(folder))


def test_tls_is_needed_only_where_the_connection_asks_for_it(installed):
    installed("18.6", tls=False)
    installed("17.11")

    assert taken(170000) == "18.6"
    assert taken(170000, tls=True) == "17.11"


def test_without_tls_a_connection_that_asks_for_it_is_refused(monkeypatch):
    monkeypatch.setattr(clients, "usual_folders", lambda: [PACKAGED])

    with pytest.raises(PgDumpWithoutTls, match="no pg_dump here that is new enough can speak it"):
        taken(180000, tls=True)


@pytest.mark.parametrize(
    ("bad", "sound"), [("15.18", "15.19"), ("16.14", "16.15"), ("17.10", "17.11"), ("18.5", "18.6")]
)
def test_a_known_hole_is_refused_in_a_protected_environment_alone(installed, bad, sound):
    installed(bad)
    assert taken(150000) == bad
    with pytest.raises(PgDumpKnownBad, match=rf"Found: {bad} in .* Update the client programs to .*{sound}"):
        taken(150000, is_protected=True)

    installed(sound)

    assert taken(150000, is_protected=True) == sound


def test_versions_that_came_later_have_no_known_hole(installed):
    installed("19beta2")

    assert taken(180000, is_protected=True) == "19beta2"


def test_what_is_in_the_path_is_found_besides_what_is_installed(installed, tmp_path, monkeypatch):
    monkeypatch.undo()
    folder = tmp_path / "in path"
    client_in(folder, pg_dump="echo 'pg_dump (PostgreSQL) 99.1'")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")

    assert taken(180000) == "99.1"


def test_a_program_that_is_found_twice_counts_once(installed, tmp_path):
    folder = installed("15.19")
    shutil.copytree(folder, tmp_path / "linked", symlinks=True)
    (tmp_path / "linked" / "pg_dump").unlink()
    (tmp_path / "linked" / "pg_dump").symlink_to(folder / "pg_dump")

    with pytest.raises(PgDumpTooOld) as refused:
        taken(180000, folder=tmp_path / "linked")

    assert str(refused.value).count("15.19 in") == 1


@pytest.mark.parametrize(
    ("options", "asks"),
    [
        ("", False),
        ("?sslmode=disable", False),
        ("?sslmode=prefer", False),
        ("?sslmode=require", True),
        ("?sslmode=verify-ca", True),
        ("?sslmode=verify-full&sslrootcert=/ca.pem", True),
    ],
)
def test_a_connection_asks_for_tls_by_its_sslmode(monkeypatch, options, asks):
    monkeypatch.setenv("SHOP", f"postgresql://shop:of-tests-only@192.0.2.1/shop{options}")

    assert asks_for_tls(Target(1, "shop/staging/main", "env:SHOP")) is asks


def test_tls_may_be_asked_for_in_the_environment_of_the_worker(monkeypatch):
    monkeypatch.setenv("SHOP", "postgresql://shop@192.0.2.1/shop")
    monkeypatch.setenv("PGSSLMODE", "verify-full")

    assert asks_for_tls(Target(1, "shop/staging/main", "env:SHOP"))


def test_a_connection_that_is_none_is_refused_without_repeating_it(monkeypatch):
    monkeypatch.setenv("SHOP", "of-tests-only")

    with pytest.raises(SecretUnusable) as refused:
        asks_for_tls(Target(1, "shop/staging/main", "env:SHOP"))
    with pytest.raises(SecretMissing):
        asks_for_tls(Target(1, "shop/staging/main", "env:NOWHERE"))

    assert "of-tests-only" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_a_client_knows_its_programs():
    client = Client(PACKAGED, version="18.6", number=180006)

    assert (client.pg_dump, client.pg_restore) == (PACKAGED / "pg_dump", PACKAGED / "pg_restore")
    assert (client.major, client.is_sound) == (18, True)

"""The secrets of a new installation: private, complete, and never written over."""

import os
from urllib.parse import urlsplit

import pytest

from controlplane.secrets import SecretsAlreadyThere, main, new_secrets, write_secrets


def read(folder):
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_they_are_private_files_and_those_that_belong_together_fit(tmp_path):
    folder = tmp_path / "a new" / "folder"

    assert main([str(folder)]) == 0

    made = read(folder)
    assert made.keys() == new_secrets().keys()
    assert {path.stat().st_mode & 0o777 for path in folder.iterdir()} == {0o600}
    assert made["redis_auth"].strip() == f"requirepass {urlsplit(made['redis_url']).password}"
    assert len(made["secret_key"].strip()) >= 50


def test_no_password_is_used_twice():
    made = new_secrets()
    passwords = [urlsplit(made[name]).password for name in ("database_url", "database_owner_url", "redis_url")]

    assert len({*passwords, made["postgres_password"], made["secret_key"]}) == 5
    assert not set(made.values()) & set(new_secrets().values())


def test_they_are_given_to_the_user_who_reads_them(tmp_path):
    write_secrets(tmp_path, user=os.getuid())  # giving them to others is for root alone

    assert {path.stat().st_uid for path in tmp_path.iterdir()} == {os.getuid()}


@pytest.mark.skipif(os.getuid() != 0, reason="only root gives files away")
def test_root_gives_them_away(tmp_path):
    assert main([str(tmp_path), "10001"]) == 0

    assert {(path.stat().st_uid, path.stat().st_gid) for path in tmp_path.iterdir()} == {(10001, 10001)}


def test_one_that_is_there_stops_everything(tmp_path):
    (tmp_path / "database_url").write_text("in use")

    with pytest.raises(SecretsAlreadyThere, match="already holds database_url"):
        write_secrets(tmp_path)

    assert read(tmp_path) == {"database_url": "in use"}


def test_a_call_that_is_not_understood_writes_nothing(tmp_path, capsys):
    assert main([str(tmp_path), "somebody"]) == 2

    assert capsys.readouterr().err.startswith("usage:")
    assert not read(tmp_path)

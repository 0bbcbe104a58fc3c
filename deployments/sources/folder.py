"""Migrations from a folder on the worker's machine."""

from pathlib import Path

from checks.layouts import MASKING, QUERIES, named, read_files, script_beside, smoke_script
from deployments.errors import DeploymentError
from deployments.models import Application
from deployments.sources.found import Found

PREFIX = "folder:"


class SourceUnknown(DeploymentError):
    """The source is of a kind that is not known."""

    code = "source-unknown"

    def __init__(self, *, source: str) -> None:
        super().__init__(f'The source "{source}" is of no known kind. No migration was read. Write it as folder:PATH.')


def read(application: Application) -> Found:
    """Return what an application's folder holds.

    Raises SourceUnknown, and what checks.project.files and the layout raise: each names the file and what to do.
    """
    if not application.source.startswith(PREFIX):
        raise SourceUnknown(source=application.source)
    layout = named(application.layout)
    files = read_files(Path(application.source.removeprefix(PREFIX)), layout)
    return Found(
        migrations=layout.read(files),
        smoke=smoke_script(files),
        layout=layout,
        masking=script_beside(MASKING, files),
        queries=script_beside(QUERIES, files),
    )

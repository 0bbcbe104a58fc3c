"""What a source holds at one moment."""

from dataclasses import dataclass

from checks.layouts import Layout, MigrationFiles


@dataclass(frozen=True, slots=True)
class Found:
    """The migrations in order, the script that is read after every deploy, and the layout they were read by."""

    migrations: tuple[MigrationFiles, ...]
    smoke: bytes | None
    layout: Layout

"""What a source holds at one moment."""

from dataclasses import dataclass

from checks.layouts import Layout, MigrationFiles


@dataclass(frozen=True, slots=True)
class Found:
    """The migrations in order, the layout they were read by, and what lies beside them.

    `smoke` is read after every deploy, `masking` changes the data of a copy, `queries` are the application's.
    """

    migrations: tuple[MigrationFiles, ...]
    smoke: bytes | None
    layout: Layout
    masking: bytes | None = None
    queries: bytes | None = None

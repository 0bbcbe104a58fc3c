"""How migration tools keep their files: one module per tool, each a Layout in the one tuple LAYOUTS."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from checks.errors import CheckError
from checks.layouts.base import Client, Kind, Layout, MigrationFiles, Unknown
from checks.layouts.beside import MASKING, QUERIES, script_beside, smoke_script
from checks.layouts.dbmate import Dbmate
from checks.layouts.diesel import Diesel
from checks.layouts.flyway import Flyway
from checks.layouts.goose import Goose
from checks.layouts.plain import Plain
from checks.layouts.prisma import Prisma
from checks.layouts.sqitch import Sqitch
from checks.layouts.sql_pairs import SqlPairs
from checks.layouts.texts import MAX_SQL_CHARACTERS, require_short, text_of
from checks.project.files import folder_below, is_folder, read_folder
from checks.project.looking import is_there

__all__ = [
    "LAYOUTS",
    "MASKING",
    "MAX_SQL_CHARACTERS",
    "QUERIES",
    "Client",
    "Kind",
    "Layout",
    "LayoutAmbiguous",
    "LayoutUnknown",
    "MigrationFiles",
    "Unknown",
    "detect",
    "detected",
    "named",
    "read_files",
    "require_short",
    "script_beside",
    "smoke_script",
    "text_of",
]

LAYOUTS: tuple[Layout, ...] = (Prisma(), SqlPairs(), Flyway(), Goose(), Dbmate(), Diesel(), Sqitch(), Plain())


class LayoutUnknown(CheckError):
    """No layout recognises the files, or no layout has the name that was asked for."""

    code: ClassVar[str] = "layout-unknown"

    def __init__(self, *, asked: str = "") -> None:
        what = f'There is no layout "{asked}"' if asked else "The files follow no layout that is known"
        names = ", ".join(layout.name for layout in LAYOUTS)
        super().__init__(
            f"{what}. No migration was read, so nothing is known about what would reach the database. "
            f"Known layouts: {names}. Point to the folder of the migrations and name its layout."
        )


class LayoutAmbiguous(CheckError):
    """The files fit more than one layout."""

    code: ClassVar[str] = "layout-ambiguous"

    def __init__(self, *, names: tuple[str, ...]) -> None:
        super().__init__(
            f"The files fit more than one layout: {', '.join(names)}. Each would apply them differently, so no "
            "migration was read. Point to the folder of one tool's migrations, or name the layout."
        )


def read_files(path: Path, layout: Layout, *, largest: int | None = None) -> dict[str, bytes]:
    """Return the files of the migrations folder by their path in it; `largest` is that of one file in bytes.

    That is the layout's usual folder below the path, so that the path may lead to the root of a project; where there is
    none, the path itself. Raises what checks.project.files raises.
    """
    return read_folder(folder_below(path, layout.folders), entries=layout.entries, largest=largest)


def detect(path: Path, *, largest: int | None = None) -> Layout:
    """Return the one layout that recognises what is below a path. Raises what `detected` raises."""
    return detected(path, largest=largest)[0]


def detected(path: Path, *, largest: int | None = None) -> tuple[Layout, Mapping[str, bytes]]:
    """Return the one layout that recognises what is below a path, with the files that it reads there.

    Where tools have usual folders below the path, those are looked at first, and the path itself only if nothing was
    found in them: a whole project is not read for nothing. Raises LayoutUnknown, LayoutAmbiguous, and what read_files
    raises.
    """
    usual = [one for one in LAYOUTS if one.entries or folder_below(path, one.folders) != path]
    others = [one for one in LAYOUTS if one not in usual]
    read: dict[tuple[Path, tuple[str, ...]], Mapping[str, bytes]] = {}
    for asked in (usual, others):
        fitting = []
        for layout in asked:
            place = (folder_below(path, layout.folders), layout.entries)
            if place not in read:
                read[place] = _files_at(path, layout, largest)
            if layout.matches(read[place]):
                fitting.append((layout, read[place]))
        if len(fitting) > 1:
            raise LayoutAmbiguous(names=tuple(one.name for one, _ in fitting))
        if fitting:
            return fitting[0]
    raise LayoutUnknown


def _files_at(path: Path, layout: Layout, largest: int | None) -> Mapping[str, bytes]:
    """Return what a layout would read; nothing where none of its few names is there."""
    folder = folder_below(path, layout.folders)
    if layout.entries and is_folder(folder) and not any(is_there(str(folder / one)) for one in layout.entries):
        return {}
    return read_files(path, layout, largest=largest)


def named(name: str) -> Layout:
    """Return the layout of that name. Raises LayoutUnknown."""
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise LayoutUnknown(asked=name)

"""How migration tools keep their files: one module per tool, each a Layout in the one tuple LAYOUTS."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from checks.errors import CheckError
from checks.files import folder_below, read_folder
from checks.layouts.base import Layout, MigrationFiles
from checks.layouts.prisma import Prisma
from checks.layouts.smoke import smoke_script
from checks.layouts.sql_pairs import SqlPairs

__all__ = ["LAYOUTS", "Layout", "LayoutUnknown", "MigrationFiles", "detect", "named", "read_files", "smoke_script"]

LAYOUTS: tuple[Layout, ...] = (Prisma(), SqlPairs())


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


def read_files(path: Path, layout: Layout) -> dict[str, bytes]:
    """Return the files of the migrations folder by their path in it.

    That is the layout's usual folder below the path, so that the path may lead to the root of a project; where there is
    none, the path itself. Raises what checks.files raises.
    """
    return read_folder(folder_below(path, layout.folders))


def detect(path: Path) -> Layout:
    """Return the first layout that recognises what is below a path.

    Raises LayoutUnknown, and what read_files raises.
    """
    for layout in LAYOUTS:
        if layout.matches(read_files(path, layout)):
            return layout
    raise LayoutUnknown


def named(name: str) -> Layout:
    """Return the layout of that name. Raises LayoutUnknown."""
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise LayoutUnknown(asked=name)

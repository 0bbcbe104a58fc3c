"""How migration tools keep their files: one module per tool, each a Layout in the one tuple LAYOUTS."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from checks.errors import CheckError
from checks.layouts.base import Layout, MigrationFiles
from checks.layouts.sql_pairs import SqlPairs

__all__ = ["LAYOUTS", "Layout", "LayoutUnknown", "MigrationFiles", "detect", "named"]

LAYOUTS: tuple[Layout, ...] = (SqlPairs(),)


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


def detect(files: Mapping[str, bytes]) -> Layout:
    """Return the first layout that recognises the files. Raises LayoutUnknown when none does."""
    for layout in LAYOUTS:
        if layout.matches(files):
            return layout
    raise LayoutUnknown


def named(name: str) -> Layout:
    """Return the layout of that name. Raises LayoutUnknown."""
    for layout in LAYOUTS:
        if layout.name == name:
            return layout
    raise LayoutUnknown(asked=name)

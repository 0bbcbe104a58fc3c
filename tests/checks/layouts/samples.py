"""What the tests of the layouts ask in common."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from checks.errors import CheckError, Unparsable
from checks.layouts import LAYOUTS, Layout, MigrationFiles, text_of
from checks.statements import parse


def refusal(layout: Layout, files: Mapping[str, bytes]) -> CheckError:
    """Return what a layout refuses files with."""
    with pytest.raises(CheckError) as refused:
        layout.read(files)
    return refused.value


def statements(layout: Layout, migration: MigrationFiles, part: str = "forward") -> list[tuple[int, str]]:
    """Return the statements of a part as they are judged, each with the line of the file it stands on."""
    return [(one.line, one.sql) for one in parse(text_of(layout, migration, part)).statements]


def not_analysed(layout: Layout, migration: MigrationFiles, part: str = "forward") -> tuple[int, str]:
    """Return the line and the reason why a part cannot be analysed."""
    with pytest.raises(Unparsable) as refused:
        parse(text_of(layout, migration, part))
    return refused.value.line, refused.value.problem


def fitting(files: Mapping[str, bytes]) -> list[str]:
    """Return the names of the layouts that recognise files."""
    return [layout.name for layout in LAYOUTS if layout.matches(files)]

"""What the files of one migration are called when it is divided, so that its tool applies them in the same order."""

from __future__ import annotations

import re
from collections.abc import Callable

_NUMBERED = re.compile(r"(?P<number>[0-9]+)(?P<rest>.*)", re.DOTALL)


def split_paths(layout: str, name: str, count: int) -> tuple[str, ...]:
    """Return the paths of the forward files, below the folder of the migrations, for a migration divided into so many.

    `name` is that of the migration. A layout whose numbers are used once takes the numbers after its own: what has them
    already has to be numbered anew.
    """
    made = _BY_LAYOUT.get(layout, _plain)
    return tuple(made(name, place, len(str(count))) for place in range(1, count + 1))


def forward_path(layout: str, name: str) -> str:
    """Return the path of the forward file of a migration, below the folder of the migrations."""
    return {"prisma": f"{name}/migration.sql", "sql-pairs": f"{name}.up.sql"}.get(layout, f"{name}.sql")


def _plain(name: str, place: int, digits: int) -> str:
    return f"{name}_{place:0{digits}}.sql"


def _prisma(name: str, place: int, digits: int) -> str:
    return f"{name}_{place:0{digits}}/migration.sql"


def _sql_pairs(name: str, place: int, _digits: int) -> str:
    match = _NUMBERED.fullmatch(name)
    if match is None:
        return _plain(name, place, 1)
    number = match["number"]
    return f"{int(number) + place - 1:0{len(number)}}{match['rest']}.up.sql"


_BY_LAYOUT: dict[str, Callable[[str, int, int], str]] = {"prisma": _prisma, "sql-pairs": _sql_pairs}

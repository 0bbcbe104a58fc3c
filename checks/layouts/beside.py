"""The scripts in the root of the migrations folder that belong to no migration: what is asked or done beside them."""

from __future__ import annotations

from collections.abc import Mapping

from checks.layouts.errors import require_utf8

SMOKE = "smoke.sql"
"""Read after every deploy."""
MASKING = "masking.sql"
"""Changes the data of a copy before a rehearsal reads it."""
QUERIES = "queries.sql"
"""Queries of the application, whose plans a rehearsal compares."""
BESIDE = frozenset({SMOKE, MASKING, QUERIES})


def smoke_script(files: Mapping[str, bytes]) -> bytes | None:
    """Return the bytes of the smoke script among the files of a migrations folder, or None. Raises NotUtf8."""
    return script_beside(SMOKE, files)


def script_beside(name: str, files: Mapping[str, bytes]) -> bytes | None:
    """Return the bytes of the script of this name, one of BESIDE, or None if it is not there. Raises NotUtf8."""
    content = files.get(name)
    if content is not None:
        require_utf8(name, content)
    return content

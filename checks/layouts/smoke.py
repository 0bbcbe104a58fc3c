"""The smoke script of a release: one file that belongs to no migration, in the root of the migrations folder."""

from __future__ import annotations

from collections.abc import Mapping

from checks.layouts.errors import require_utf8

SMOKE = "smoke.sql"


def smoke_script(files: Mapping[str, bytes]) -> bytes | None:
    """Return the bytes of the smoke script among the files of a migrations folder, or None. Raises NotUtf8."""
    content = files.get(SMOKE)
    if content is not None:
        require_utf8(SMOKE, content)
    return content

"""From the bytes of a script to the text that is judged: what its tool would send, every character at its place."""

from __future__ import annotations

from checks.errors import Unparsable
from checks.layouts.base import Client, Layout, MigrationFiles
from checks.layouts.errors import require_utf8
from checks.layouts.psql import without_data, without_frame

MAX_SQL_CHARACTERS = 5_000_000  # parsed they take 400 MB and up to a minute; measured with rows of INSERT


def text_of(layout: Layout, migration: MigrationFiles, part: str) -> str:
    """Return the SQL of one part of a migration as the server would see it, on the lines of its file.

    What the tool's client takes out is spaces: data of COPY, commands of psql that only print, and the BEGIN and COMMIT
    around a script that `is_transactional` because of them. Raises Unparsable where it is not known what would be sent
    or where there is more than MAX_SQL_CHARACTERS of it, and NotUtf8. The part must be there.
    """
    content: bytes = getattr(migration, part)
    text = require_utf8(migration.paths.get(part, migration.name), content)
    if (unknown := migration.unknown.get(part)) is not None:
        raise _refused(text, unknown.problem, unknown.line)
    if layout.client is not Client.NONE:
        text = without_data(text, commands=layout.client is Client.PSQL)
    require_short(text)
    if layout.client is not Client.PSQL:
        return text
    framed = without_frame(text)
    if framed is None and part == "verify":
        framed = without_frame(text, ends="rollback")
    return text if framed is None else framed


def require_short(text: str) -> None:
    """Raise Unparsable for more than MAX_SQL_CHARACTERS; what only keeps others in place is not counted."""
    if len(text) - text.count(" ") - text.count("\n") > MAX_SQL_CHARACTERS:
        raise _refused(text, f"more than {MAX_SQL_CHARACTERS} characters of SQL are too much to be analysed", 1)


def _refused(text: str, problem: str, line: int) -> Unparsable:
    offset = 0
    for _ in range(line - 1):
        offset = text.find("\n", offset) + 1
    return Unparsable(problem, line=line, column=1, offset=offset)

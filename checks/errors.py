"""What `checks` refuses to read: a code, the facts as attributes, and a text that ends with what to do next."""

from __future__ import annotations

from typing import ClassVar


class CheckError(Exception):
    """Base of every refusal. `code` is stable and kebab-case.

    The text says what happened, what it means for the database, and what to do.
    """

    code: ClassVar[str] = "check-error"

    def __str__(self) -> str:
        return str(self.args[0])


class Unparsable(CheckError):
    """The text is not SQL that can be analysed. It may still be SQL that does harm: it is never called safe.

    `line` and `column` count characters from 1; `problem` is the bare reason.
    """

    code = "unparsable-sql"

    def __init__(self, problem: str, *, line: int, column: int, offset: int) -> None:
        self.problem = problem
        self.line = line
        self.column = column
        self.offset = offset
        super().__init__(
            f"Line {line}, column {column}: {problem}. The script cannot be analysed, so what it would do to the "
            "database is unknown; nothing was run. Correct the SQL, or remove what only psql understands."
        )

"""A statement that a comment declares as batched, as a value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Batch:
    """How a statement is run: for `size` rows of `table` at a time, in the order of `key`, each in a transaction.

    Names are SQL. `sql` is what is sent for one batch: $1 … are the values of the first key in it, then those of the
    last one. It is "" where the statement cannot be written so, and `problem` says why; then it is never sent. `line`
    is that of the comment. `is_only` when the statement leaves out what inherits from the table.
    """

    table: str
    key: tuple[str, ...]
    size: int
    line: int
    sql: str = ""
    problem: str = ""
    is_only: bool = False

"""Which queries of an application are planned on a clone before and after: registered ones, and the server's own list.

They are only planned, never run. All the same nothing is taken that could do more than read: a mistake is then none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from checks.errors import Unparsable
from checks.integrity.questions import only_asks
from checks.normalised import shape_of
from checks.statements import Statement, line_comments, parse

LONGEST_NAME = 100  # characters


@dataclass(frozen=True, slots=True)
class Query:
    """One query. `name` is what it is called, without a value; one with parameters has $1 and so on."""

    name: str
    sql: str
    has_parameters: bool = False


@dataclass(frozen=True, slots=True)
class Registered:
    """The queries that can be planned, and why others are not, as sentences without a full stop."""

    queries: tuple[Query, ...] = ()
    refused: tuple[str, ...] = ()


def registered(text: str, *, file: str = "queries.sql") -> Registered:
    """Return the queries of a file: each called as the comment directly above it says, else by its line.

    What is no SELECT, or changes, makes or locks something, is refused by its parse tree.
    """
    try:
        script, comments = parse(text), {one.line: one.text for one in line_comments(text) if one.is_alone}
    except Unparsable as error:
        return Registered(refused=(f"{file} cannot be read: line {error.line}, {error.problem}",))
    queries, refused = [], []
    for one in script.statements:
        name = comments.get(one.line - 1, "").strip("- \t") or f"{file}, line {one.line}"
        if only_asks(one):
            queries.append(_query(name, one))
        else:
            refused.append(f"{file}, line {one.line}: {one.kind} does more than read, so it is not planned")
    return Registered(tuple(queries), tuple(refused))


def frequent(texts: Iterable[str]) -> Iterator[Query]:
    """Yield of the queries that a server counts those that only read; each is called by its shape, without values."""
    for text in texts:
        try:
            statements = parse(text).statements
        except Unparsable:
            continue  # it was cut off, or is older than the parser
        if len(statements) == 1 and only_asks(statements[0]) and statements[0].relations:
            yield _query(shape_of(text), statements[0])


def _query(name: str, statement: Statement) -> Query:
    short = name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"
    return Query(short, statement.sql, any(one.tag == "ParamRef" for one in statement.tree.walk()))

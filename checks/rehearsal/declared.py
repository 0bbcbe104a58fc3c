"""What the comments of scripts declare irreversible, as tables, columns and types that are there."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from checks.comments.directives import Kind, directives
from checks.names import parts, unqualified
from checks.statements import parse

Key = tuple[str, str]
"""Schema and name of a table, without quotes."""


@dataclass(slots=True)
class Declared:
    """What may be lost: whole tables, columns of others, and types whose new labels may stay. `nothing` names none."""

    tables: set[Key] = field(default_factory=set)
    columns: dict[Key, set[str]] = field(default_factory=dict)
    types: set[Key] = field(default_factory=set)
    nothing: list[str] = field(default_factory=list)

    def columns_of(self, table: Key) -> set[str]:
        """Return the columns of a table that may be lost."""
        return self.columns.get(table, set())

    def covers(self, table: Key, column: str = "") -> bool:
        """True where a column, or rows of the table as a whole, may be lost."""
        return table in self.tables or bool(column and column in self.columns_of(table))


def irreversible(*texts: str) -> tuple[str, ...]:
    """Return the names that these scripts declare irreversible, as SQL. Raises Unparsable."""
    said = (one for text in texts for one in directives(parse(text)))
    return tuple(dict.fromkeys(one.argument for one in said if one.kind is Kind.IRREVERSIBLE))


def declared(
    names: Iterable[str], tables: Mapping[Key, Collection[str]], types: Collection[Key], *, path: Sequence[str]
) -> Declared:
    """Return what names mean in a database: `tables` with their columns, and `types`.

    A name without a schema is looked for in the schemas of `path`, in order, as the scripts' own session would.
    """
    found = Declared()
    for name in names:
        _find(found, name, tables, types, path)
    return found


def _find(
    found: Declared, name: str, tables: Mapping[Key, Collection[str]], types: Collection[Key], path: Sequence[str]
) -> None:
    words = [unqualified(part) for part in parts(name)]
    keys = _places(words, path)
    if table := next((key for key in keys if key in tables), None):
        found.tables.add(table)
        return
    for owner in _places(words[:-1], path):
        if owner in tables and words[-1] in tables[owner]:
            found.columns.setdefault(owner, set()).add(words[-1])
            return
    if kind := next((key for key in keys if key in types), None):
        found.types.add(kind)
        return
    found.nothing.append(name)


def _places(words: Sequence[str], path: Sequence[str]) -> list[Key]:
    """Return where a table of this name would be looked for; nowhere if it is none."""
    if len(words) == 1:
        return [(schema, words[0]) for schema in path]
    return [(words[0], words[1])] if len(words) == 2 else []  # noqa: PLR2004 # schema and name

"""Defaults that need something else: a sequence, or a type."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

from checks.model.edit import Refused, current, with_column
from checks.model.relations import DataType, Name
from checks.model.schema import Schema
from checks.names import qualified


def without_defaults_of(schema: Schema, sequence: Name, *, cascade: bool) -> Schema:
    """Return the schema without the defaults that take their value from a sequence that is gone."""
    return _without(schema, lambda _, default: takes_from(default, sequence), cascade=cascade)


def without_defaults_over(schema: Schema, kind: Name, *, cascade: bool) -> Schema:
    """Return the schema without the defaults of columns of another type that are written with a type that is gone."""
    cast = f"::{qualified(*kind)}"
    return _without(
        schema, lambda column, default: cast in default and (column.schema, column.name) != tuple(kind), cascade=cascade
    )


def _without(schema: Schema, is_meant: Callable[[DataType, str], bool], *, cascade: bool) -> Schema:
    for relation in tuple(schema.relations.values()):
        for column in relation.columns.values():
            if column.default is None or not is_meant(column.type, column.default):
                continue
            if not cascade:
                raise Refused(f"the default of {column.name} needs it")
            held = current(schema, relation.name)
            schema = schema.having(with_column(held, replace(column, default=None)))
    return schema


_NEXTVAL = re.compile(r"nextval\(\s*(?:CAST\(\s*)?'((?:[^']|'')+)'", re.IGNORECASE)


def takes_from(default: str, sequence: Name) -> bool:
    """True when a default calls nextval of this sequence."""
    found = _NEXTVAL.search(default)
    written = found[1].replace("''", "'") if found else ""
    return written in {str(sequence), qualified(*sequence), sequence.name, f"{sequence.schema}.{sequence.name}"}

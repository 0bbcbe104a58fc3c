"""The schema as a value: replayed from migrations, or read from a database. What a statement does depends on it."""

from __future__ import annotations

from checks.model.relations import (
    Column,
    Constraint,
    ConstraintKind,
    DataType,
    Firing,
    Index,
    Kind,
    Name,
    Relation,
    Size,
    Traffic,
)
from checks.model.schema import EMPTY, UNKNOWN, Function, Schema, UserType

__all__ = [
    "EMPTY",
    "UNKNOWN",
    "Column",
    "Constraint",
    "ConstraintKind",
    "DataType",
    "Firing",
    "Function",
    "Index",
    "Kind",
    "Name",
    "Relation",
    "Schema",
    "Size",
    "Traffic",
    "UserType",
]

"""How a type of the catalogue is written in SQL and in a sentence."""

from __future__ import annotations

from checks.model import DataType
from checks.names import qualified

_WORDS = {
    "int2": "smallint", "int4": "integer", "int8": "bigint", "float4": "real", "float8": "double precision",
    "bool": "boolean", "bpchar": "character", "varchar": "character varying", "varbit": "bit varying",
    "char": '"char"',
    "timetz": "time with time zone", "timestamptz": "timestamp with time zone",
}  # fmt: skip


def type_words(kind: DataType) -> str:
    """Return a type as SQL; a user's type without its schema where that is public or not known."""
    if kind.is_built_in:
        name = _WORDS.get(kind.name, kind.name)
    else:
        name = qualified("" if kind.schema == "public" else kind.schema, kind.name)
    numbers = f"({', '.join(map(str, kind.modifiers))})" if kind.modifiers else ""
    first, space, rest = name.partition(" ")
    if first in {"time", "timestamp"} and kind.is_built_in:
        name, numbers = f"{first}{numbers}{space}{rest}", ""
    fields = f" {kind.fields}" if kind.fields else ""
    return f"{name}{fields}{numbers}{'[]' if kind.is_array else ''}"

"""From the values of the model to plain JSON and back: by the types of their fields, believing nothing that is read."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import StrEnum
from functools import cache, partial
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from checks.model.relations import Name


class Misshapen(Exception):
    """What was read is not what was written. The text says where and why."""


def encode(value: Any) -> Any:
    """Return a value of the model as JSON values. Fields with their usual value are left out.

    A mapping becomes a list, because JSON does not promise an order: of its values where these know their key by
    `name`, else of pairs.
    """
    if isinstance(value, str | int | float | None):
        return value.value if isinstance(value, StrEnum) else value
    if isinstance(value, Mapping):
        # A Name has a name as well, but not that of its key: a trigger is often called like its function.
        if all(is_dataclass(one) and getattr(one, "name", None) == key for key, one in value.items()):
            return [encode(one) for one in value.values()]
        return [[encode(key), encode(one)] for key, one in value.items()]
    if isinstance(value, frozenset):
        return sorted(encode(one) for one in value)
    if isinstance(value, tuple):
        return [encode(one) for one in value]
    kind: Any = type(value)
    return {name: encode(one) for name, usual in _usual_values(kind) if (one := getattr(value, name)) != usual}


@cache
def _usual_values(kind: Any) -> tuple[tuple[str, Any], ...]:
    return tuple((one.name, _usual(one)) for one in fields(kind))


def _usual(one: Field[Any]) -> Any:
    return one.default_factory() if one.default_factory is not MISSING else one.default


Decoder = Callable[[Any], Any]


@cache
def decoder(kind: Any) -> Decoder:  # noqa: PLR0911 - one for each kind of type
    """Return what makes a value of this type from JSON values. It raises Misshapen, which says the place."""
    origin, arguments = get_origin(kind), get_args(kind)
    if kind in {str, int, bool, float}:
        return partial(_plain, kind)
    if origin in {Union, UnionType}:
        (inner,) = (one for one in arguments if one is not NoneType)
        return partial(_optional, decoder(inner))
    if kind is Name:
        return _name
    if origin is tuple and arguments[-1] is not Ellipsis:
        return partial(_pair, tuple(map(decoder, arguments)))
    if origin in {tuple, frozenset}:
        return partial(_many, origin, decoder(arguments[0]))
    if origin is Mapping:
        value: Any = arguments[1]
        inside = decoder(value)
        return partial(_named, inside) if is_dataclass(value) else partial(_pairs, decoder(arguments[0]), inside)
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return partial(_enumerated, kind)
    hints = get_type_hints(kind)
    required = frozenset(one.name for one in fields(kind) if _usual(one) is MISSING)
    return partial(_object, kind, {name: decoder(hint) for name, hint in hints.items()}, required)


def _plain(kind: Any, data: Any) -> Any:
    if kind is float and type(data) is int:
        data = float(data)
    if type(data) is not kind or (kind is float and not math.isfinite(data)):
        raise Misshapen(f"is no {kind.__name__}")
    if kind is str and not (data.isascii() and data.isprintable()):
        _require_text(data)
    return data


def _require_text(text: str) -> None:
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Misshapen("is no text") from None
    if "\0" in text:
        raise Misshapen("has a NUL character")


def _optional(inner: Decoder, data: Any) -> Any:
    return None if data is None else inner(data)


def _list(data: Any, length: int | None = None) -> list[Any]:
    if not isinstance(data, list) or (length is not None and len(data) != length):
        raise Misshapen("is no list" + (f" of {length}" if length else ""))
    return data


def _name(data: Any) -> Name:
    schema, name = _list(data, 2)
    return Name(_plain(str, schema), _plain(str, name))


def _pair(inner: tuple[Decoder, ...], data: Any) -> tuple[Any, ...]:
    return tuple(of(one) for of, one in zip(inner, _list(data, len(inner)), strict=True))


def _many(kind: Callable[[Iterable[Any]], Any], inner: Decoder, data: Any) -> Any:
    return kind(inner(one) for one in _list(data))


def _named(inner: Decoder, data: Any) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for one in _list(data):
        value = inner(one)
        if value.name in found:
            raise Misshapen(f"has {value.name} twice")
        found[value.name] = value
    return found


def _pairs(key: Decoder, inner: Decoder, data: Any) -> dict[Any, Any]:
    found: dict[Any, Any] = {}
    for one in _list(data):
        name, value = _list(one, 2)
        if (known := key(name)) in found:
            raise Misshapen(f"has {known} twice")
        found[known] = inner(value)
    return found


def _enumerated(kind: type[StrEnum], data: Any) -> StrEnum:
    if not isinstance(data, str) or data not in list(kind):
        raise Misshapen(f"is none of {', '.join(kind)}")
    return kind(data)


def _object(kind: Callable[..., Any], inner: Mapping[str, Decoder], required: frozenset[str], data: Any) -> Any:
    if not isinstance(data, dict):
        raise Misshapen("is no object")
    if missing := required - data.keys():
        raise Misshapen(f"has no {min(missing)}")
    values = {}
    for name, one in data.items():
        if name not in inner:
            raise Misshapen(f"has {name!r:.80}, which is not known")
        try:
            values[name] = inner[name](one)
        except Misshapen as wrong:
            called = f" of {data['name']!s:.80}" if name != "name" and "name" in data else ""
            raise Misshapen(f"{name}{called}: {wrong}") from None
    return kind(**values)

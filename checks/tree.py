"""A typed, read-only view of a parse tree node, so that only `statements.py` touches the untyped parser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from checks.names import qualified


@dataclass(frozen=True, slots=True)
class Tree:
    """One node. `render` turns a node back into SQL; it is given by the parser's module."""

    node: object
    render: Callable[[object], str]

    @property
    def tag(self) -> str:
        """The parser's name of this node, for example `IndexStmt`."""
        return type(self.node).__name__

    def get(self, name: str) -> Tree | None:
        """Return a child node, or None when it is absent."""
        child = getattr(self.node, name, None)
        return None if child is None else Tree(child, self.render)

    def each(self, name: str) -> tuple[Tree, ...]:
        """Return the children in a list, in order; empty when the list is absent."""
        children = getattr(self.node, name, None)
        return tuple(Tree(child, self.render) for child in children) if isinstance(children, tuple) else ()

    def items(self) -> tuple[Tree, ...]:
        """Return the members when this is itself a list, as in the dotted name of a DROP."""
        return tuple(Tree(child, self.render) for child in self.node) if isinstance(self.node, tuple) else ()

    def text(self, name: str) -> str:
        """Return a text attribute, or "" when it is absent."""
        value = getattr(self.node, name, None)
        return value if isinstance(value, str) else ""

    def flag(self, name: str) -> bool:
        """Return a boolean attribute; absent counts as false."""
        return bool(getattr(self.node, name, False))

    def number(self, name: str) -> int:
        """Return a whole number, or 0 when it is absent."""
        value = getattr(self.node, name, None)
        return value if isinstance(value, int) else 0

    def enum(self, name: str) -> str:
        """Return the name of an enumerated attribute, or ""."""
        value: object = getattr(getattr(self.node, name, None), "name", "")
        return value if isinstance(value, str) else ""

    def sql(self) -> str:
        """Return this node written back as SQL, or "" when it is too deep to write."""
        return self.render(self.node)

    @property
    def offset(self) -> int:
        """Where the node begins, in characters of the script; -1 when the parser does not say."""
        value: object = getattr(self.node, "location", None)
        return value if isinstance(value, int) else -1

    def relation(self, name: str = "relation") -> str:
        """Return the table a child RangeVar names, schema-qualified as written, or ""."""
        child = self.get(name)
        return child.range_name() if child else ""

    def range_name(self) -> str:
        """Return the name of a RangeVar as written."""
        return qualified(self.text("catalogname"), self.text("schemaname"), self.text("relname"))

    def dotted(self, name: str) -> str:
        """Return a name kept as a list of String nodes, such as a function's."""
        return qualified(*(part.text("sval") for part in self.each(name)))

    def option(self, name: str, *, among: str = "options") -> Tree | None:
        """Return the DefElem of that name in an option list, or None. The last one wins, as in PostgreSQL."""
        found = [item for item in self.each(among) if item.text("defname").lower() == name]
        return found[-1] if found else None

    def switched_on(self, name: str, *, among: str = "options", default: bool = False) -> bool:
        """Return a boolean option. Given without a value it is on."""
        option = self.option(name, among=among)
        if option is None:
            return default
        arg = option.get("arg")
        if arg is None:
            return True
        if arg.tag == "Boolean":
            return arg.flag("boolval")
        if arg.tag == "Integer":
            return arg.flag("ival")
        return arg.text("sval").lower() not in {"false", "off", "no", "f", "0"}

    def below(self) -> Iterator[Tree]:
        """Yield the nodes directly below this one, in no promised order; a list is a node here."""
        values = self.node if isinstance(self.node, tuple) else (
            getattr(self.node, name) for name in getattr(type(self.node), "__slots__", ())
        )  # fmt: skip
        for value in values:
            if isinstance(value, tuple) or type(value).__module__ == "pglast.ast":
                yield Tree(value, self.render)

    def walk(self) -> Iterator[Tree]:
        """Yield this node and every node below it, in no promised order. Not recursive: hostile SQL nests deep."""
        waiting: list[Any] = [self.node]
        render = self.render
        while waiting:
            node = waiting.pop()
            kind: Any = type(node)
            if kind is tuple:
                waiting.extend(node[::-1])
            elif (names := _children_of(kind)) is not None:
                yield Tree(node, render)
                for name in names:
                    child = getattr(node, name)
                    if child is not None:
                        waiting.append(child)


@cache
def _children_of(kind: type) -> tuple[str, ...] | None:
    """Return the attributes of a kind of node, the last one first; None for what is no node. There are few kinds."""
    return tuple(getattr(kind, "__slots__", ()))[::-1] if kind.__module__ == "pglast.ast" else None

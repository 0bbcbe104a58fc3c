"""Which relation has what, so that nobody has to look through all of them for it; unchanged parts are shared."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import compress
from operator import is_not
from typing import Any

from checks.model.relations import ConstraintKind, Name, Relation

Fact = tuple[str, Any]
"""What a relation is found by: one of the words below, and what it is about."""

REFERS_TO, INDEX, CONSTRAINT, CHILD_OF, READS, OWNED_BY, OF_TYPE = (
    "refers to", "index", "constraint", "child of", "reads", "owned by", "of type",
)  # fmt: skip
_SHARDS = 64
_Shards = tuple[Mapping[Fact, tuple[Name, ...]], ...]


class Relations(dict[Name, Relation]):
    """Relations by their name, in the order of creation, never changed once a schema has them.

    What is asked of all of them is answered by an index. It is made when it is first asked for; the next schema takes
    it over with what differs. It is in parts, of which those without a difference are the same in both.
    """

    __slots__ = ("_shards",)

    def __init__(self, values: Mapping[Name, Relation] | Iterable[tuple[Name, Relation]] = ()) -> None:
        """Take these relations."""
        super().__init__(values)
        self._shards: _Shards | None = None

    def having(self, relations: Iterable[Relation]) -> Relations:
        """Return these with others, each in the place of one of the same name."""
        made = Relations(self)
        shards = self._shards
        for one in relations:
            if shards is not None:
                shards = _patched(shards, made.get(one.name), one)
            made[one.name] = one
        made._shards = shards
        return made

    def lacking(self, names: Iterable[Name]) -> Relations:
        """Return these without some."""
        made = Relations(self)
        shards = self._shards
        for name in names:
            gone = made.pop(name, None)
            if shards is not None and gone is not None:
                shards = _patched(shards, gone, None)
        made._shards = shards
        return made

    def changed_since(self, before: Mapping[Name, Relation]) -> list[Relation]:
        """Return the relations that were not there before as they are now."""
        return list(compress(self.values(), map(is_not, self.values(), map(before.get, self))))

    def with_fact(self, *fact: Any) -> list[Relation]:
        """Return the relations that are found by a word of this module and what it is about, in their order."""
        if self._shards is None:
            self._shards = _of(self)
        names = self._shards[hash(fact) % _SHARDS].get(fact, ())
        if len(names) > 1:
            names = tuple(filter(frozenset(names).__contains__, self))
        return [self[name] for name in names]


def _of(relations: Mapping[Name, Relation]) -> _Shards:
    found: list[dict[Fact, list[Name]]] = [{} for _ in range(_SHARDS)]
    for name, one in relations.items():
        for fact in _facts(one):
            found[hash(fact) % _SHARDS].setdefault(fact, []).append(name)
    return tuple({fact: tuple(names) for fact, names in one.items()} for one in found)


def _patched(shards: _Shards, old: Relation | None, new: Relation | None) -> _Shards:
    """Return the index after one relation became another, or came, or went."""
    had = _facts(old) if old else frozenset()
    has = _facts(new) if new else frozenset()
    if had == has:
        return shards
    changed: dict[int, dict[Fact, tuple[Name, ...]]] = {}
    for fact in had ^ has:
        place = hash(fact) % _SHARDS
        shard = changed.setdefault(place, dict(shards[place]))
        if new and fact in has:
            shard[fact] = (*shard.get(fact, ()), new.name)
        elif left := tuple(name for name in shard[fact] if not old or name != old.name):
            shard[fact] = left
        else:
            del shard[fact]
    return tuple(changed.get(place, one) for place, one in enumerate(shards))


def _facts(relation: Relation) -> frozenset[Fact]:
    return frozenset(_each(relation))


def _each(relation: Relation) -> Iterator[Fact]:
    place = relation.name.schema
    for name, one in relation.constraints.items():
        yield CONSTRAINT, Name(place, name)
        if one.kind is ConstraintKind.FOREIGN_KEY and one.references:
            yield REFERS_TO, one.references
    for name in relation.indexes:
        yield INDEX, Name(place, name)
    for parent in relation.inherits:
        yield CHILD_OF, parent
    if relation.partition_of:
        yield CHILD_OF, relation.partition_of
    for read in relation.reads:
        yield READS, read
    if relation.owner:
        yield OWNED_BY, relation.owner[0]
    # Not by is_built_in: a table has a hundred times as many columns as anything else, and is asked often.
    for kind in {one.type.name for one in relation.columns.values() if one.type.schema != "pg_catalog"}:
        yield OF_TYPE, kind

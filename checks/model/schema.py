"""All relations, types and functions that are known, and what follows from them together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, cast

from checks.model.facts import CHILD_OF, INDEX, OF_TYPE, READS, REFERS_TO, Relations
from checks.model.relations import PUBLIC, Column, Constraint, ConstraintKind, DataType, Name, Relation
from checks.names import split

TEMPORARY = "pg_temp"
"""The schema of temporary tables, which is searched first. They end with the script's session."""


@dataclass(frozen=True, slots=True)
class UserType:
    """A type that was made: an enum with its labels in order, a domain with its base, a composite, a range.

    `has_constraint` is a domain that a value can break: a CHECK or NOT NULL, also of the domain it is based on.
    """

    name: Name
    kind: str  # "enum", "domain", "composite", "range" or "base": one that came with an extension
    labels: tuple[str, ...] = ()
    base: DataType | None = None
    has_constraint: bool = False
    constraints: Mapping[str, bool] = field(default_factory=dict)  # name -> is valid
    not_null: str = ""  # the name of the one that is NOT NULL


@dataclass(frozen=True, slots=True)
class Function:
    """A function or procedure. `volatility` is "immutable", "stable" or "volatile". Overloads share a name.

    `is_inlined` says that the server replaces a call by an expression, which may be less volatile than the function
    says it is; `expression` is that, as SQL. `types` are those of the arguments that a call gives, `returns` what it
    gives back, as far as known. `is_trigger` when only triggers can call it.
    """

    name: Name
    arguments: int
    volatility: str = "volatile"
    language: str = ""
    is_inlined: bool = False
    types: tuple[DataType, ...] = ()
    expression: str = ""
    is_trigger: bool = False
    returns: DataType | None = None


@dataclass(frozen=True, slots=True)
class Schema:
    """What a database holds, as far as it is known.

    `is_complete` says that what is not in here does not exist: it was replayed from the first migration, or read from
    a database. `doubts` are reasons why it may still differ: code that ran and could not be analysed. `script` is the
    number of the script that is being read, from 1. `path` is the search path of now. `time_zone`
    is that of the session, "" where it is not known. With `usual_path` and `usual_time_zone` every session begins.
    """

    relations: Mapping[Name, Relation] = field(default_factory=Relations)
    types: Mapping[Name, UserType] = field(default_factory=dict)
    functions: Mapping[Name, tuple[Function, ...]] = field(default_factory=dict)
    extensions: frozenset[str] = frozenset()
    schemas: frozenset[str] = frozenset({PUBLIC})
    path: tuple[str, ...] = (PUBLIC,)
    is_complete: bool = False
    doubts: tuple[str, ...] = ()
    script: int = 0
    time_zone: str = ""
    usual_time_zone: str = ""
    usual_path: tuple[str, ...] = (PUBLIC,)

    def __post_init__(self) -> None:
        """Have the relations with their index, whoever made the mapping."""
        if type(self.relations) is not Relations:
            object.__setattr__(self, "relations", Relations(self.relations))

    def those(self, *fact: Any) -> list[Relation]:
        """Return the relations that are found by a word of checks.model.facts and what it is about, in their order."""
        return self._relations.with_fact(*fact)

    def changed_since(self, before: Schema) -> list[Relation]:
        """Return the relations that were not there, or not like this, in another schema."""
        return self._relations.changed_since(before.relations)

    @property
    def is_certain(self) -> bool:
        """True when what is not in here does not exist, without a doubt."""
        return self.is_complete and not self.doubts

    def find(self, name: str) -> Relation | None:
        """Return the relation that a name as SQL means, or None if none of that name is known."""
        schema, bare = split(name)
        candidates = (schema,) if schema else (TEMPORARY, *self.path)
        return next((found for one in candidates if (found := self.relations.get(Name(one, bare)))), None)

    def place(self, name: str) -> Name:
        """Return the full name that a name as SQL has or would get: that of what it finds, else in the first schema."""
        if found := self.find(name):
            return found.name
        schema, bare = split(name)
        return Name(schema or (self.path[0] if self.path else PUBLIC), bare)

    def find_index(self, name: str) -> Relation | None:
        """Return the table that has an index of this name, given as SQL."""
        schema, bare = split(name)
        candidates = (schema,) if schema else (TEMPORARY, *self.path)
        return next((found for one in candidates for found in self.those(INDEX, Name(one, bare))), None)

    def find_type(self, kind: DataType) -> UserType | None:
        """Return the user's type behind a data type, or None for one that is built in or not known."""
        candidates = (kind.schema,) if kind.schema else self.path
        return next((found for one in candidates if (found := self.types.get(Name(one, kind.name)))), None)

    def is_new(self, name: Name) -> bool:
        """True when the script that is being read made this relation: nobody else uses it yet."""
        found = self.relations.get(name)
        return found is not None and self.script > 0 and found.made_in == self.script

    def referencing(self, name: Name) -> Iterator[tuple[Relation, Constraint]]:
        """Yield the tables with each foreign key that refers to a table, its own ones included."""
        for relation in self.those(REFERS_TO, name):
            for constraint in relation.constraints.values():
                if constraint.kind is ConstraintKind.FOREIGN_KEY and constraint.references == name:
                    yield relation, constraint

    def partitions(self, name: Name) -> Iterator[Relation]:
        """Yield the direct partitions of a table."""
        return (one for one in self.those(CHILD_OF, name) if one.partition_of == name)

    def descendants(self, name: Name) -> Iterator[Relation]:
        """Yield every partition and every inheriting table below one, nearest first."""
        below = self.those(CHILD_OF, name)
        yield from below
        for one in below:
            yield from self.descendants(one.name)

    def readers(self, name: Name) -> Iterator[Relation]:
        """Yield the views that read a relation directly."""
        return iter(self.those(READS, name))

    def users_of_type(self, name: Name) -> Iterator[tuple[Relation, Column]]:
        """Yield the columns that have a user's type, also through a domain over it or an array of it."""
        names = {name} | {one.name for one in self.types.values() if self._base(one) == name}
        bare = {one.name for one in names}
        having = {relation.name for one in bare for relation in self.those(OF_TYPE, one)}
        for relation in (one for one in self.relations.values() if one.name in having) if having else ():
            for column in relation.columns.values():
                kind = self.find_type(column.type)
                if kind is not None and kind.name in names:
                    yield relation, column

    def _base(self, kind: UserType) -> Name | None:
        under = self.find_type(kind.base) if kind.base else None
        return under.name if under else None

    def having(self, *relations: Relation) -> Schema:
        """Return a schema with these relations, each in the place of one of the same name."""
        return replace(self, relations=self._relations.having(relations))

    def lacking(self, *names: Name) -> Schema:
        """Return a schema without these relations."""
        return replace(self, relations=self._relations.lacking(names))

    @property
    def _relations(self) -> Relations:
        return cast("Relations", self.relations)

    def doubting(self, reason: str) -> Schema:
        """Return a schema that may differ from the truth, for one reason more."""
        return replace(self, doubts=(*self.doubts, reason))


EMPTY = Schema(is_complete=True)
"""A database before its first migration."""

UNKNOWN = Schema()
"""A database of which nothing is known: what one file alone is judged against."""

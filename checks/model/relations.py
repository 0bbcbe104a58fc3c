"""Tables and what belongs to them, as values. Nothing here changes: a change is a new value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple

from checks.names import qualified

PUBLIC = "public"


class Name(NamedTuple):
    """The full name of an object, without quotes. `str()` gives it as SQL, without the schema where that is public."""

    schema: str
    name: str

    def __str__(self) -> str:
        return qualified("" if self.schema == PUBLIC else self.schema, self.name)


class Kind(StrEnum):
    """What a relation is. Indexes belong to their table, see `Relation.indexes`."""

    TABLE = "table"
    PARTITIONED = "partitioned table"
    FOREIGN = "foreign table"
    VIEW = "view"
    MATERIALIZED = "materialized view"
    SEQUENCE = "sequence"
    COMPOSITE = "composite type"


class ConstraintKind(StrEnum):
    """What a constraint demands. The words are those of SQL."""

    CHECK = "CHECK"
    FOREIGN_KEY = "FOREIGN KEY"
    UNIQUE = "UNIQUE"
    PRIMARY_KEY = "PRIMARY KEY"
    EXCLUSION = "EXCLUDE"
    NOT_NULL = "NOT NULL"


@dataclass(frozen=True, slots=True)
class DataType:
    """A type as the catalogue names it: `int4`, `varchar`, `timestamptz`, never an alias.

    `modifiers` are the numbers in brackets, as the server completes them: `(10, 2)` of numeric(10,2), `(10, 0)` of
    numeric(10). `fields` are those of an interval, or the words in the brackets of another type: `Point,4326`. `schema`
    is that of a type that is not built in, or "" where it is not known. A type that could not be told has no name.
    """

    name: str
    schema: str = "pg_catalog"
    modifiers: tuple[int, ...] = ()
    fields: str = ""
    is_array: bool = False

    @property
    def is_built_in(self) -> bool:
        """True for a type that comes with the server."""
        return self.schema == "pg_catalog"


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `default` is its expression as SQL, or None. `generated` is "", "stored" or "virtual".

    `is_local` is false for a column that the table only has from a parent.
    """

    name: str
    type: DataType
    is_nullable: bool = True
    default: str | None = None
    is_identity: bool = False
    generated: str = ""
    collation: str = ""
    is_local: bool = True


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint of a table.

    `columns` are its own, of a check those its expression names. `references` and `referenced_columns` are those of a
    foreign key. `expression` is the condition of a check as SQL. `not_null` are columns it proves to hold no null.
    `index` names the index that carries it. `is_no_inherit` is one that partitions and children do not get. `timing` is
    "", "DEFERRABLE" or "DEFERRABLE INITIALLY DEFERRED".
    """

    name: str
    kind: ConstraintKind
    columns: tuple[str, ...] = ()
    is_valid: bool = True
    is_enforced: bool = True
    references: Name | None = None
    referenced_columns: tuple[str, ...] = ()
    on_delete: str = ""
    on_update: str = ""
    expression: str = ""
    not_null: frozenset[str] = frozenset()
    index: str = ""
    is_inherited: bool = False
    is_no_inherit: bool = False
    timing: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """One index of a table, in the table's schema.

    `columns` are its keys in order, "" for an expression; `expressions` are those as SQL; `includes` the columns that
    it only carries; `uses` every column that any of them and the predicate name. `labels` are the names of its own
    columns, after which its parts are named. `parent` is the index of the partitioned table that it is a part of.
    `definition` is the statement that makes it, as SQL.
    """

    name: str
    columns: tuple[str, ...] = ()
    uses: frozenset[str] = frozenset()
    method: str = "btree"
    is_unique: bool = False
    is_valid: bool = True
    predicate: str = ""
    collations: tuple[str, ...] = ()
    operator_classes: tuple[str, ...] = ()
    parent: Name | None = None
    definition: str = ""
    expressions: tuple[str, ...] = ()
    includes: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Firing:
    """When a trigger fires. `events` are of INSERT, UPDATE, DELETE and TRUNCATE.

    `columns` are those of UPDATE OF, none for every UPDATE; `condition` are the columns that its WHEN names.
    """

    name: str
    events: frozenset[str] = frozenset()
    columns: frozenset[str] = frozenset()
    condition: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Size:
    """How big a relation is: its own bytes with its long values, those of its indexes, and the rows as estimated."""

    bytes: int
    index_bytes: int = 0
    rows: int | None = None


@dataclass(frozen=True, slots=True)
class Traffic:
    """How many transactions per second use a table at most, averaged over the time that the counters cover."""

    reads: float
    writes: float


@dataclass(frozen=True, slots=True)
class Relation:
    """A table, view or sequence, with what belongs to it. The mappings keep the order of creation.

    `made_in` is the number of the script that made it, counted by the schema; 0 when it was there before the first.
    `partition_of` is its parent, with `bound` as SQL (`DEFAULT`, `FOR VALUES …`); `partition_key` is that of a
    partitioned table as SQL, and `partition_columns` are the columns in it. `inherits` are parents by INHERITS. `reads`
    are the relations that a view is made of, `uses` the columns of each that it names, as far as known; `query` is its
    SELECT as SQL. `owner` is the table and column that a sequence belongs to. `triggers` have the function that each of
    them calls, `firings` when each of them does, as far as known; `rules` the relations that each of them names,
    `policies` their conditions as SQL. `has_rows` when the script that made it may have put many rows into it since.
    `privileges` are those that statements have granted, by role ("public" is everybody); others may have more.
    """

    name: Name
    kind: Kind = Kind.TABLE
    columns: Mapping[str, Column] = field(default_factory=dict)
    constraints: Mapping[str, Constraint] = field(default_factory=dict)
    indexes: Mapping[str, Index] = field(default_factory=dict)
    made_in: int = 0
    partition_key: str = ""
    partition_columns: frozenset[str] = frozenset()
    partition_of: Name | None = None
    bound: str = ""
    inherits: tuple[Name, ...] = ()
    reads: frozenset[Name] = frozenset()
    uses: Mapping[Name, frozenset[str]] = field(default_factory=dict)
    owner: tuple[Name, str] | None = None
    triggers: Mapping[str, Name] = field(default_factory=dict)
    firings: Mapping[str, Firing] = field(default_factory=dict)
    rules: Mapping[str, frozenset[Name]] = field(default_factory=dict)
    policies: Mapping[str, str] = field(default_factory=dict)
    query: str = ""
    is_logged: bool = True
    access_method: str = ""
    size: Size | None = None
    traffic: Traffic | None = None
    has_rows: bool = False
    privileges: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @property
    def is_table(self) -> bool:
        """True for what holds rows of its own, or of its partitions."""
        return self.kind in {Kind.TABLE, Kind.PARTITIONED, Kind.FOREIGN}

    def triggers_on(self, column: str) -> tuple[str, ...]:
        """Return the triggers that name a column, in UPDATE OF or in WHEN: they do not let it change its type."""
        return tuple(name for name, one in self.firings.items() if column in one.columns | one.condition)

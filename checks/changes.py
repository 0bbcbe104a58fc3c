"""What a statement does, as plain values: the facts that rules and risk classes judge."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Verb(StrEnum):
    """The kinds of change that are told apart. What fits none of them is UNKNOWN, which is never safe."""

    CREATE_TABLE = "create table"
    CREATE_PARTITION = "create partition"
    CREATE_VIEW = "create view"
    CREATE_OBJECT = "create object"
    COMMENT = "comment"
    GRANT = "grant"
    GRANT_BROADLY = "grant broadly"
    READ = "read"
    SETTING = "setting"
    RAISE_TIMEOUT = "raise timeout"
    SETTING_UNKNOWN = "unknown setting"
    MAINTENANCE = "maintenance"
    ADD_COLUMN = "add column"
    ADD_COLUMN_HARD = "add column that is not free"
    COLUMN_DEFAULT = "change default"
    DROP_NOT_NULL = "drop not null"
    TABLE_OPTION = "change table option"
    ADD_CONSTRAINT_NOT_VALID = "add constraint not valid"
    VALIDATE_CONSTRAINT = "validate constraint"
    CREATE_INDEX_CONCURRENTLY = "create index concurrently"
    REINDEX_CONCURRENTLY = "reindex concurrently"
    DROP_INDEX_CONCURRENTLY = "drop index concurrently"
    ADD_CONSTRAINT = "add constraint"
    DROP_CONSTRAINT = "drop constraint"
    SET_NOT_NULL = "set not null"
    COLUMN_TYPE = "change column type"
    DROP_COLUMN = "drop column"
    DROP_TABLE = "drop table"
    DROP_OBJECT = "drop object"
    CREATE_INDEX = "create index"
    REINDEX = "reindex"
    RENAME_COLUMN = "rename column"
    RENAME_TABLE = "rename table"
    RENAME_OBJECT = "rename object"
    ALTER_OBJECT = "alter object"
    REPLACE_FUNCTION = "replace function"
    DEFINER_FUNCTION = "function with the rights of its owner"
    UNTRUSTED_FUNCTION = "function in a language without limits"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"
    LOCK = "lock"
    CHANGE_ALL_ROWS = "change all rows"
    TRUNCATE = "truncate"
    DROP_SCHEMA = "drop schema"
    DROP_CASCADE = "drop cascade"
    REWRITE = "rewrite"
    RESTRUCTURE = "restructure"
    MOVE = "move to another schema"
    SESSION_ROLE = "change session role"
    TRANSACTION = "transaction control"
    COPY_PROGRAM = "copy with a program"
    PROCEDURE = "procedural code"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Change:
    """One change of one object. Names are SQL: schema-qualified as written, quoted where needed.

    `table` is the relation changed, or "" when none is; `name` the column, constraint, index or object within it.
    `columns` are those of a constraint or index; `from_index` is a constraint that takes over an index built before.
    `detail` depends on the verb: a type, an expression, a new name, or words about what is not known. `offset` is in
    characters of the script, -1 when the parser does not say.
    """

    verb: Verb
    table: str = ""
    name: str = ""
    detail: str = ""
    constraint: str = ""
    columns: tuple[str, ...] = ()
    definition: str = ""
    if_not_exists: bool = False
    unique: bool = False
    inline: bool = False
    from_index: bool = False
    offset: int = -1

    @property
    def subject(self) -> str:
        """The object in words: `column total of orders`, `orders`, or the name alone."""
        column_verbs = {
            Verb.ADD_COLUMN, Verb.ADD_COLUMN_HARD, Verb.COLUMN_DEFAULT, Verb.DROP_NOT_NULL, Verb.SET_NOT_NULL,
            Verb.COLUMN_TYPE, Verb.DROP_COLUMN, Verb.RENAME_COLUMN,
        }  # fmt: skip
        if self.table and self.name:
            return f"{'column ' if self.verb in column_verbs else ''}{self.name} of {self.table}"
        return self.table or self.name

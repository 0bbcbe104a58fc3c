"""What an ADD COLUMN asks for: the column, the constraints written inside it, and why it is not free."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from checks.alterations.commands import Command
from checks.context import Context
from checks.locks import Work
from checks.locks.volatility import Volatility, volatility_of
from checks.model.types import SERIALS, data_type, serial_of
from checks.names import quote
from checks.tree import Tree


class Cause(StrEnum):
    """The one reason for which adding a column is found. A rewrite does every other work on its way."""

    DEFAULT = "default computed for every row"
    NUMBERS = "serial or identity"
    GENERATED = "generated and stored"
    DOMAIN = "domain with a constraint"
    NOT_NULL = "NOT NULL without a default"
    INDEX = "UNIQUE or PRIMARY KEY"
    CHECK = "CHECK"
    REFERENCE = "foreign key with a default"


@dataclass(frozen=True, slots=True)
class Inline:
    """A constraint written inside a column. `attributes` are DEFERRABLE and the like, which the parser keeps apart."""

    tree: Tree
    attributes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name as SQL, or ""."""
        return quote(self.tree.text("conname")) if self.tree.text("conname") else ""

    @property
    def sql(self) -> str:
        """The constraint as SQL, without its name."""
        written = self.tree.sql().removeprefix(f"CONSTRAINT {self.name} ")
        return " ".join((written, *self.attributes))


@dataclass(frozen=True)
class AddedColumn:
    """An ADD COLUMN, read. `command` is the one that adds it."""

    command: Command

    @property
    def tree(self) -> Tree:
        """The column's node."""
        return self.command.definition or self.command.tree

    @property
    def name(self) -> str:
        """The column, without quotes."""
        return self.tree.text("colname")

    @property
    def sql_name(self) -> str:
        """The column as SQL."""
        return quote(self.name)

    @cached_property
    def parts(self) -> dict[str, Inline]:
        """What is written inside the column, by the parser's kind of constraint; several CHECKs have a number."""
        found: dict[str, Inline] = {}
        last = ""
        for part in self.tree.each("constraints"):
            kind = part.enum("contype")
            if kind.startswith("CONSTR_ATTR_"):
                if last:
                    attributes = (*found[last].attributes, part.sql())
                    found[last] = replace(found[last], attributes=attributes)
                continue
            last = kind if kind not in found else f"{kind} {len(found)}"
            found[last] = Inline(part)
        return found

    @property
    def type_sql(self) -> str:
        """The type, with its collation, as SQL; that of the numbers where it is serial."""
        kind, collation = self.tree.get("typeName"), self.tree.get("collClause")
        serial = {"int2": "smallint", "int4": "integer", "int8": "bigint"}.get(serial_of(kind), "")
        return " ".join(
            one for one in (serial or (kind.sql() if kind else ""), collation.sql() if collation else "") if one
        )

    @property
    def is_serial(self) -> bool:
        """True for serial, bigserial and smallserial."""
        return bool(serial_of(self.tree.get("typeName")))

    @property
    def written_type(self) -> str:
        """The type as written, such as `bigserial`."""
        kind = self.tree.get("typeName")
        names = [part.text("sval") for part in kind.each("names")] if kind else []
        return names[-1] if names and names[-1] in SERIALS else (kind.sql() if kind else "")

    @property
    def default(self) -> Tree | None:
        """The default's expression; None where there is none, or it is NULL."""
        part = self.parts.get("CONSTR_DEFAULT")
        expression = part.tree.get("raw_expr") if part else None
        return None if expression is None or (expression.tag == "A_Const" and expression.flag("isnull")) else expression

    @property
    def generated(self) -> str:
        """The expression it is generated from, as SQL, or ""."""
        part = self.parts.get("CONSTR_GENERATED")
        expression = part.tree.get("raw_expr") if part else None
        return expression.sql() if expression else ""

    @property
    def forbids_null(self) -> bool:
        """True when it may hold no null: also by PRIMARY KEY, identity or serial."""
        return self.is_serial or not self.parts.keys().isdisjoint(
            {"CONSTR_NOTNULL", "CONSTR_PRIMARY", "CONSTR_IDENTITY"}
        )

    @property
    def is_there_already(self) -> bool:
        """True when it is IF NOT EXISTS, and the table is known to have it."""
        table = self.command.relation
        return self.command.tree.flag("missing_ok") and table is not None and self.name in table.columns

    @property
    def has_user_type(self) -> bool:
        """True when its type does not come with the server."""
        return not data_type(self.tree.get("typeName"), self.command.before).is_built_in

    @cached_property
    def cause(self) -> Cause | None:
        """Why adding it is not free, or None when it is."""
        command = self.command
        if self.is_there_already:
            return None
        if command.may(Work.REWRITE):
            return self._cause_of_rewrite
        gives_value = self.default is not None or self.parts.keys() & {"CONSTR_GENERATED", "CONSTR_IDENTITY"}
        if self.forbids_null and not gives_value and not self.is_serial:
            return Cause.NOT_NULL
        if command.may(Work.BUILD):
            return Cause.INDEX
        if command.may(Work.SCAN):
            return Cause.CHECK
        return Cause.REFERENCE if command.may(Work.KEY_CHECK) else None

    @property
    def _cause_of_rewrite(self) -> Cause:
        if self.is_serial or "CONSTR_IDENTITY" in self.parts:
            return Cause.NUMBERS
        if "CONSTR_GENERATED" in self.parts:
            return Cause.GENERATED
        return (
            Cause.DOMAIN if self.default is None or (self.has_user_type and not self._default_varies) else Cause.DEFAULT
        )

    @property
    def _default_varies(self) -> bool:
        return volatility_of(self.default, self.command.before) is not Volatility.FIXED


def added(command: Command) -> AddedColumn | None:
    """Return the column that a command adds, or None when it adds none."""
    return AddedColumn(command) if command.kind == "AT_AddColumn" and command.definition else None


def columns_added(context: Context, cause: Cause) -> Iterator[AddedColumn]:
    """Yield the columns that a script adds to tables in use, and that are not free for this reason."""
    for command in context.commands:
        column = added(command)
        if column is not None and column.cause is cause:
            yield column

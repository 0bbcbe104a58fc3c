"""The constraints that a script adds to tables in use, as commands of their own: ALTER TABLE … ADD CONSTRAINT."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.alterations.commands import Command
from checks.context import Context
from checks.model import Kind
from checks.names import quote
from checks.tree import Tree


@dataclass(frozen=True, slots=True)
class AddedConstraint:
    """One ADD CONSTRAINT. `tree` is the constraint's node."""

    command: Command
    tree: Tree

    @property
    def name(self) -> str:
        """Its name as SQL, or "" where the server chooses one."""
        return quote(self.tree.text("conname")) if self.tree.text("conname") else ""

    @property
    def subject(self) -> str:
        """What to call it in a sentence: its name, or what it is."""
        kinds = {"CONSTR_FOREIGN": "the foreign key", "CONSTR_CHECK": "the CHECK", "CONSTR_UNIQUE": "UNIQUE",
                 "CONSTR_PRIMARY": "the PRIMARY KEY", "CONSTR_EXCLUSION": "EXCLUDE"}  # fmt: skip
        return self.name or kinds.get(self.tree.enum("contype"), "the constraint")

    @property
    def columns(self) -> tuple[str, ...]:
        """Its own columns, without quotes."""
        return tuple(key.text("sval") for key in (*self.tree.each("fk_attrs"), *self.tree.each("keys")))

    @property
    def definition(self) -> str:
        """What it demands as SQL, without its name."""
        return self.tree.sql().removeprefix(f"CONSTRAINT {self.name} ")

    @property
    def attributes(self) -> tuple[str, ...]:
        """DEFERRABLE and INITIALLY DEFERRED, where it is so."""
        words = (("deferrable", "DEFERRABLE"), ("initdeferred", "INITIALLY DEFERRED"))
        return tuple(sql for flag, sql in words if self.tree.flag(flag))

    @property
    def index_clauses(self) -> str:
        """What the index of UNIQUE or PRIMARY KEY needs beside its columns, as SQL."""
        included = ", ".join(quote(one.text("sval")) for one in self.tree.each("including"))
        words = (f"INCLUDE ({included})" * bool(included), "NULLS NOT DISTINCT" * self.tree.flag("nulls_not_distinct"))
        return " ".join(filter(None, words))

    @property
    def can_use_index(self) -> bool:
        """True when it can take over an index that was built before: not on partitioned tables, not over ranges."""
        relation = self.command.relation
        is_plain = relation is None or relation.kind is Kind.TABLE
        return is_plain and not self.tree.flag("without_overlaps") and not self.tree.each("options")

    @property
    def is_on_partitioned(self) -> bool:
        """True when the table is known to be partitioned."""
        return self.command.relation is not None and self.command.relation.kind is Kind.PARTITIONED


def constraints_added(context: Context, contype: str) -> Iterator[AddedConstraint]:
    """Yield the constraints of this kind, by the parser's name, that a script adds to tables in use."""
    for command in context.commands:
        tree = command.definition if command.kind == "AT_AddConstraint" else None
        if tree is not None and tree.enum("contype") == contype:
            yield AddedConstraint(command, tree)

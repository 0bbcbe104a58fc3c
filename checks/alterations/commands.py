"""The commands of an ALTER TABLE, each with what it does by itself: of many in one statement, one may be to blame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from checks.alterations.places import command_offsets
from checks.locks import Effects, Lock, Work, effects_of
from checks.model import Column, Kind, Name, Relation, Schema
from checks.model.replay import replay
from checks.names import parts, quote
from checks.reading import read
from checks.statements import Statement
from checks.tree import Tree


@dataclass(frozen=True, slots=True)
class Command:
    """One command of an ALTER TABLE. `effects` are its own, `before` is the schema it meets, after those before it.

    `tree` is the command's node; `version` that of the server; `table` the full name of the table, which the script
    itself made where it is `is_on_new_table`. `start` is where it begins in the script, of one among several.
    """

    statement: Statement
    tree: Tree
    before: Schema
    effects: Effects
    version: int
    table: Name
    is_on_new_table: bool
    start: int = -1

    @property
    def kind(self) -> str:
        """What it is, as the parser names it: `AT_AddColumn`."""
        return self.tree.enum("subtype")

    @property
    def name(self) -> str:
        """The column or constraint it names, without quotes; "" where it names none."""
        return self.tree.text("name")

    @property
    def sql_name(self) -> str:
        """The column or constraint it names, as SQL."""
        return quote(self.name)

    @property
    def definition(self) -> Tree | None:
        """What it adds or changes to: a column, a constraint, a default."""
        return self.tree.get("def_")

    @property
    def sql_table(self) -> str:
        """The table as SQL that means the same in another file: as written, or with the schema it was found in."""
        return self._written if len(parts(self._written)) > 1 else str(self.table)

    @property
    def relation(self) -> Relation | None:
        """The table as it is known, or None."""
        return self.before.relations.get(self.table)

    @property
    def column(self) -> Column | None:
        """The column that it names as it is known, or None."""
        return self.relation.columns.get(self.name) if self.relation else None

    @property
    def offset(self) -> int:
        """Where it is in the script: what it defines, else its own beginning; -1 where it is the only command."""
        defined = self.definition.offset if self.definition else -1
        return defined if defined >= 0 else self.start

    def does(self, *work: Work) -> bool:
        """True when it does one of these kinds of work on a relation that was there before."""
        return any(not lock.work.isdisjoint(work) for lock in self._old)

    def may(self, *work: Work) -> bool:
        """True when it does one of these kinds of work, or nothing that is known here says that it does not."""
        return any(not (lock.work | lock.maybe).isdisjoint(work) for lock in self._old)

    @property
    def waiting(self) -> str:
        """Who waits while it runs: "nobody can read or write orders"; "nobody waits" when nobody does."""
        return waiting(self._felt)

    @property
    def until(self) -> str:
        """Who waits for how long, for work whose time grows with the table."""
        return f"until it is done, {self.waiting}"

    @property
    def peers(self) -> tuple[Lock, ...]:
        """The locks that are felt on other relations than its table and those below it."""
        own = {self.table} | {one.name for one in self.before.descendants(self.table)}
        return tuple(lock for lock in self._felt if lock.relation not in own)

    @property
    def _felt(self) -> tuple[Lock, ...]:
        """The locks that are felt, without sequences: who uses those, uses their table."""
        known = self.before.relations
        return tuple(
            lock
            for lock in self.effects.felt
            if (found := known.get(lock.relation)) is None or found.kind is not Kind.SEQUENCE
        )

    @property
    def _written(self) -> str:
        return self.statement.tree.relation()

    @property
    def _old(self) -> Iterator[Lock]:
        return (lock for lock in self.effects.locks if not lock.is_new)


def commands_of(statement: Statement, before: Schema, effects: Effects, version: int) -> tuple[Command, ...]:
    """Return the commands of an ALTER TABLE in the order written; of any other statement none.

    `effects` are those of the whole statement.
    """
    tree = statement.tree
    if tree.tag != "AlterTableStmt" or tree.enum("objtype") not in {"OBJECT_TABLE", "OBJECT_FOREIGN_TABLE"}:
        return ()
    commands, table = tree.each("cmds"), before.place(tree.relation())
    is_new = before.is_new(table)
    if len(commands) == 1:
        return (Command(statement, commands[0], before, effects, version, table, is_new),)
    found = []
    starts = command_offsets(statement.sql)
    is_told = len(starts) == len(commands)
    for number, command in enumerate(commands):
        start = statement.offset + starts[number] if is_told else -1
        alone = _alone(statement, command)
        own = effects_of(alone, before, version)
        found.append(Command(statement, command, before, own, version, table, is_new, start))
        before = replay(before, alone)
    return tuple(found)


def _alone(statement: Statement, command: Tree) -> Statement:
    """Return a statement with this command only; its text and place stay those of the whole."""
    node: Any = statement.tree.node
    whole = {name: getattr(node, name) for name in ("relation", "objtype", "missing_ok")}
    tree = Tree(type(node)(cmds=(command.node,), **whole), statement.tree.render)
    return replace(statement, tree=tree, changes=read(tree, kind=statement.kind))


def waiting(locks: tuple[Lock, ...]) -> str:
    """Return who waits for some locks, in words: "nobody can read or write orders, nor write to users"."""
    closed = [str(lock.relation) for lock in locks if lock.mode.blocks_reads]
    read_only = [str(lock.relation) for lock in locks if lock.mode.blocks_writes and not lock.mode.blocks_reads]
    words = (f"{verb} {either(names)}" for verb, names in (("read or write", closed), ("write to", read_only)) if names)
    who = ", nor ".join(words)
    return f"nobody can {who}" if who else "nobody waits"


def either(names: list[str], most: int = 4) -> str:
    """Return names as a choice, the first ones only: "a, b or c", "a, b, c, d or 7 others"."""
    if len(names) > most + 1:
        names = [*names[:most], f"{len(names) - most} others"]
    return " or ".join(filter(None, (", ".join(names[:-1]), names[-1])))

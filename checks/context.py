"""What a rule may look at: a script, statement by statement, in the schema and on the server it will meet."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from checks.alterations.commands import Command
from checks.durations import RATES, Rates
from checks.locks import Effects
from checks.model import Schema
from checks.statements import Script, Statement
from checks.transactions import is_one_transaction

OLDEST_VERSION, NEWEST_VERSION = 14, 18
DEFAULT_VERSION = 16


@dataclass(frozen=True, slots=True)
class World:
    """Where a script will run: what is there before it, and the major version of the server.

    `wraps_in_transaction` says that whoever runs the script puts its whole text into one transaction, unless a
    statement forbids it. `is_strict` says that what no runner can undo or bound is refused there, not only told.
    `rates` are how fast this environment works, as far as that was measured.
    """

    schema: Schema
    version: int = DEFAULT_VERSION
    wraps_in_transaction: bool = True
    rates: Rates = RATES
    is_strict: bool = True


@dataclass(frozen=True, slots=True)
class Seen:
    """One statement with the schema it meets and what it does to it. `commands` are those of an ALTER TABLE."""

    statement: Statement
    before: Schema
    effects: Effects
    commands: tuple[Command, ...] = ()


@dataclass(frozen=True, slots=True)
class Context:
    """A script in its world. `after` is the schema that it leaves behind."""

    script: Script
    seen: tuple[Seen, ...]
    world: World
    after: Schema

    @property
    def is_one_transaction(self) -> bool:
        """True when every lock is held until the end of the script."""
        return self.world.wraps_in_transaction and is_one_transaction(self.script)

    @property
    def commands(self) -> Iterator[Command]:
        """The commands of every ALTER TABLE, in order, without those on tables that the script itself made."""
        return (one for seen in self.seen for one in seen.commands if not one.is_on_new_table)

    def held_before(self, index: int) -> Iterator[Seen]:
        """Yield the earlier statements whose locks are still held when the one at `index` begins."""
        return iter(self.seen[:index] if self.is_one_transaction else ())

"""Lock modes, kinds of work, and the effects of one statement, as values."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum, StrEnum

from checks.model import Name
from checks.words import listed, plural


class Mode(IntEnum):
    """The table lock modes of PostgreSQL, weakest first (manual, section 13.3.1). `words` is how SQL writes them."""

    ACCESS_SHARE = 1
    ROW_SHARE = 2
    ROW_EXCLUSIVE = 3
    SHARE_UPDATE_EXCLUSIVE = 4
    SHARE = 5
    SHARE_ROW_EXCLUSIVE = 6
    EXCLUSIVE = 7
    ACCESS_EXCLUSIVE = 8

    @property
    def words(self) -> str:
        """The mode as SQL writes it."""
        return self.name.replace("_", " ")

    @property
    def blocks_writes(self) -> bool:
        """True when INSERT, UPDATE and DELETE wait for it (they take ROW EXCLUSIVE)."""
        return self >= Mode.SHARE

    @property
    def blocks_reads(self) -> bool:
        """True when SELECT waits for it (it takes ACCESS SHARE)."""
        return self is Mode.ACCESS_EXCLUSIVE

    @property
    def blocked(self) -> str:
        """Who waits for it, in words: "reads and writes", "writes", or "nobody" of those who use the rows."""
        return "reads and writes" if self.blocks_reads else "writes" if self.blocks_writes else "nobody"


class Work(StrEnum):
    """What a statement does to the bytes of a relation while it holds the lock. The time it takes grows with them.

    A rewrite makes every index anew and checks every row on its way: it stands alone.
    """

    REWRITE = "rewrite"
    SCAN = "full scan"
    KEY_CHECK = "foreign-key check"
    BUILD = "index build"
    COPY = "copy"  # the files move to another tablespace


@dataclass(frozen=True, slots=True)
class Lock:
    """The strongest lock a statement takes on one relation, and the work it does there.

    `maybe` is work that depends on what cannot be told from here. `because` says why a relation is locked that the
    statement does not name, such as "orders_customer_fk refers to it". `is_new` when the same script made it, and
    `has_rows` when it then put rows into it. A lock is
    not `is_certain` where the rows decide: a partition that none of them is in, a foreign key that none of them has.
    Where only indexes are locked so, they are the `indexes`, and `of_table` is the weaker mode on the table, if any.
    """

    relation: Name
    mode: Mode
    work: frozenset[Work] = frozenset()
    maybe: frozenset[Work] = frozenset()
    because: str = ""
    is_new: bool = False
    is_certain: bool = True
    has_rows: bool = False
    indexes: tuple[str, ...] = ()
    of_table: Mode | None = None

    @property
    def words(self) -> str:
        """What is locked how, as the server shows it: `SHARE; ACCESS EXCLUSIVE on its index i`."""
        if not self.indexes:
            return self.mode.words
        on_index = f"{self.mode.words} on its {plural(len(self.indexes), 'index', 'indexes')} {listed(self.indexes)}"
        return f"{self.of_table.words}; {on_index}" if self.of_table else on_index

    @property
    def blocked(self) -> str:
        """Who waits for it, in words. A query whose plan is kept does not open an index that it does not use."""
        if self.indexes and self.mode.blocks_reads:
            return "reads that have to be planned, and writes"
        return self.mode.blocked

    @property
    def is_empty(self) -> bool:
        """True when the script made the relation and put next to nothing into it: no work there takes time."""
        return self.is_new and not self.has_rows


@dataclass(frozen=True, slots=True)
class IndexLock:
    """A lock on an index alone, which the lock on its table does not tell.

    ACCESS EXCLUSIVE stops every query of the table that is planned meanwhile, also one that uses another index: the
    planner opens all of them. Measured on PostgreSQL 15 and 18.
    """

    table: Name
    index: str
    mode: Mode
    work: frozenset[Work] = frozenset()
    is_new: bool = False

    @property
    def on_table(self) -> Lock:
        """What it means for those who use the table."""
        because = f"its index {self.index} is locked"
        return Lock(self.table, self.mode, self.work, because=because, is_new=self.is_new, indexes=(self.index,))


@dataclass(frozen=True, slots=True)
class Effects:
    """What one statement does to the relations of a schema.

    `locks` are on tables, views and sequences, `indexes` on indexes alone. `fails` says why the server will refuse it,
    "" when nothing says so; `may_fail` what it depends on whether it will, such as the rows of a table.
    It `repeats` when it fails because what it makes is there already, for certain. `doubted` are the reasons for which
    the server refuses it if the schema is as it is known, where that is not certain.
    `unknown` names code that cannot be analysed, `untold` what only the schema could tell, which does not: with either,
    more may be locked than `locks` says. `waits_for_old_transactions` is a build that
    waits until every older transaction has ended.
    """

    locks: tuple[Lock, ...] = ()
    fails: str = ""
    unknown: tuple[str, ...] = ()
    waits_for_old_transactions: bool = False
    indexes: tuple[IndexLock, ...] = ()
    may_fail: tuple[str, ...] = ()
    untold: tuple[str, ...] = ()
    repeats: bool = False
    doubted: tuple[str, ...] = ()

    def on(self, name: Name) -> Lock | None:
        """Return the lock on one relation, or None."""
        return next((one for one in self.locks if one.relation == name), None)

    @property
    def felt(self) -> tuple[Lock, ...]:
        """The locks that somebody can notice: on relations that were there before, stopping reads or writes.

        Who locks an index and so its table for everybody is in here with ACCESS EXCLUSIVE.
        """
        found = {one.relation: one for one in self.locks}
        for one in self.indexes:
            told = found.get(one.table)
            if told is None:
                found[one.table] = one.on_table
            elif told.mode < one.mode:
                found[one.table] = replace(
                    told, mode=one.mode, work=told.work | one.work, indexes=(one.index,), of_table=told.mode
                )
            elif told.mode == one.mode and told.indexes:
                found[one.table] = replace(told, work=told.work | one.work, indexes=(*told.indexes, one.index))
        return tuple(one for one in found.values() if one.mode.blocks_writes and not one.is_new)

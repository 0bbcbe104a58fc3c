"""What a statement outside a transaction is to leave behind, one kind of aim per kind of proof."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from checks.concurrent_index import ConcurrentIndex, concurrent_index
from checks.kinds import kind_of, may_need_no_transaction, must_run_outside_transaction
from checks.outside.index_definition import IndexDefinition, definition_of
from checks.tree import Tree


class Thing(StrEnum):
    """What is made or dropped, as a person calls it."""

    INDEX = "index"
    DATABASE = "database"
    TABLESPACE = "tablespace"
    SUBSCRIPTION = "subscription"


class Scope(StrEnum):
    """How much REINDEX rebuilds."""

    INDEX = "index"
    TABLE = "table"
    SCHEMA = "schema"
    DATABASE = "database"


@dataclass(frozen=True, slots=True)
class IndexBuilt:
    """An index of this name and definition is there, valid and ready, on this table."""

    index: ConcurrentIndex
    definition: IndexDefinition


@dataclass(frozen=True, slots=True)
class Built:
    """A thing of this name is there, with the properties that the statement names and the catalogue shows."""

    thing: Thing
    name: str
    stated: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Gone:
    """Nothing of this name is there any more. `schema` is None where it is not written, or where there is none."""

    thing: Thing
    schema: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """Every index in the scope is another one than before, and no unfinished one is left. `name` is "" for all."""

    scope: Scope
    schema: str | None
    name: str


@dataclass(frozen=True, slots=True)
class Detached:
    """The partition is none of this table any more. Each is named by schema, None where not written, and name."""

    table: tuple[str | None, str]
    partition: tuple[str | None, str]


@dataclass(frozen=True, slots=True)
class Moved:
    """The database is in this tablespace."""

    database: str
    tablespace: str


@dataclass(frozen=True, slots=True)
class Configured:
    """ALTER SYSTEM has written this value; None takes the setting away. `can_be_read` is False for what no view shows.

    Sent twice it leaves what it leaves once.
    """

    name: str
    value: str | None
    can_be_read: bool = True


@dataclass(frozen=True, slots=True)
class Repeated:
    """Nothing that could be looked at: sent twice it leaves what it leaves once, so it is sent again."""


@dataclass(frozen=True, slots=True)
class Untold:
    """Nobody can tell from the catalogue whether it was done: after a crash a person decides."""

    why: str


Aim = IndexBuilt | Built | Gone | Rebuilt | Detached | Moved | Configured | Repeated | Untold

_ADDS_OR_TAKES = frozenset({"ALTER_SUBSCRIPTION_ADD_PUBLICATION", "ALTER_SUBSCRIPTION_DROP_PUBLICATION"})


def aim_of(tree: Tree, *, is_declared: bool = False) -> Aim | None:
    """Return what a statement is to leave behind; None for one that runs in a transaction, which proves itself.

    `is_declared` is one of a file whose author declares that it is not to be one transaction.
    """
    if not must_run_outside_transaction(tree) and not (is_declared and may_need_no_transaction(tree)):
        return None
    index = concurrent_index(tree)
    if index is not None:
        return _of_index(index, tree)
    made = _BY_TAG.get(tree.tag)
    return made(tree) if made else Untold(f"no catalogue shows what {kind_of(tree)} has done")


def needs_no_lock_timeout(tree: Tree) -> bool:
    """True for what works beside the application: a lock_timeout would leave it half done (E16 of the study)."""
    return concurrent_index(tree) is not None or isinstance(aim_of(tree), Detached)


def _of_index(index: ConcurrentIndex, tree: Tree) -> Aim:
    match index.action:
        case "create" if index.name is None:
            return Untold("the server chooses the name of the index")
        case "create":
            return IndexBuilt(index, definition_of(tree))
        case "drop":
            return Gone(Thing.INDEX, index.schema, index.name or "")
    scope = tree.enum("kind").removeprefix("REINDEX_OBJECT_").lower()
    if scope not in list(Scope):
        return Repeated()  # SYSTEM, which the server refuses
    return Rebuilt(Scope(scope), index.schema, index.name or index.table or tree.text("name"))


def _new_database(tree: Tree) -> Aim:
    return Built(Thing.DATABASE, tree.text("dbname"), _stated(tree, ("owner", "encoding", "tablespace")))


def _new_tablespace(tree: Tree) -> Aim:
    owner = tree.get("owner")
    stated = {"location": tree.text("location").rstrip("/"), "owner": owner.text("rolename") if owner else ""}
    return Built(Thing.TABLESPACE, tree.text("tablespacename"), {key: one for key, one in stated.items() if one})


def _new_subscription(tree: Tree) -> Aim:
    wanted = ", ".join(sorted(one.text("sval") for one in tree.each("publication")))
    return Built(Thing.SUBSCRIPTION, tree.text("subname"), {"publications": wanted})


def _other_subscription(tree: Tree) -> Aim:
    if tree.enum("kind") in _ADDS_OR_TAKES:
        return Untold("a publication that is there already cannot be added again, nor taken away twice")
    return Repeated()


def _of_setting(tree: Tree) -> Aim:
    setting = tree.get("setstmt")
    if setting is None or setting.enum("kind") == "VAR_RESET_ALL":
        return Repeated()
    name, values = setting.text("name"), setting.each("args")
    if setting.enum("kind") != "VAR_SET_VALUE":
        return Configured(name, None)
    value = _constant(values[0]) if len(values) == 1 else None
    return Configured(name, value, can_be_read=value is not None)


def _of_partition(tree: Tree) -> Aim:
    table = tree.get("relation")
    for command in tree.each("cmds"):
        moved = command.get("def_")
        partition = moved.get("name") if moved and moved.tag == "PartitionCmd" else None
        if table and partition:
            return Detached(_named(table), _named(partition))
    return Untold("it names no partition")


def _named(relation: Tree) -> tuple[str | None, str]:
    return relation.text("schemaname") or None, relation.text("relname")


def _stated(tree: Tree, names: tuple[str, ...]) -> dict[str, str]:
    found = {name: _text(tree.option(name)) for name in names}
    return {name: value for name, value in found.items() if value and value.lower() != "default"}


def _text(option: Tree | None) -> str:
    value = option.get("arg") if option else None
    return value.text("sval") if value else ""


def _constant(value: Tree) -> str | None:
    held = value.get("val")
    if held is None:
        return None
    match held.tag:
        case "Integer":
            return str(held.number("ival"))
        case "Float":
            return held.text("fval")
        case "String":
            return held.text("sval")
    return None


_BY_TAG: dict[str, Callable[[Tree], Aim]] = {
    "CreatedbStmt": _new_database,
    "CreateTableSpaceStmt": _new_tablespace,
    "CreateSubscriptionStmt": _new_subscription,
    "AlterSubscriptionStmt": _other_subscription,
    "DropdbStmt": lambda tree: Gone(Thing.DATABASE, None, tree.text("dbname")),
    "DropTableSpaceStmt": lambda tree: Gone(Thing.TABLESPACE, None, tree.text("tablespacename")),
    "DropSubscriptionStmt": lambda tree: Gone(Thing.SUBSCRIPTION, None, tree.text("subname")),
    "AlterDatabaseStmt": lambda tree: Moved(tree.text("dbname"), _text(tree.option("tablespace"))),
    "AlterSystemStmt": _of_setting,
    "AlterTableStmt": _of_partition,
    "VacuumStmt": lambda _: Repeated(),
    "ClusterStmt": lambda _: Repeated(),
    "DiscardStmt": lambda _: Repeated(),
    "ReindexStmt": lambda _: Repeated(),
}

"""ALTER TABLE and its kin: every command with the lock it takes, how far down it goes, and what it does there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum, auto

from checks.locks import column_types, columns, constraints, partitions, storage
from checks.locks.altering import Altering, added_columns, after_drops, named
from checks.locks.gathering import Gathering
from checks.locks.indexes import alter_index
from checks.locks.peers import family
from checks.locks.values import Mode
from checks.model import Kind, Relation
from checks.tree import Tree


class Reach(Enum):
    """Which tables a command changes beside the one it names."""

    ITSELF = auto()
    PARTITIONS = auto()
    ALL = auto()  # every table below, by partition or by inheritance


@dataclass(frozen=True, slots=True)
class Form:
    """One command. `mode` is its lock, or what says it from the command and the version; `act` adds what it does."""

    mode: Mode | Callable[[Tree, int], Mode] = Mode.ACCESS_EXCLUSIVE
    reach: Reach = Reach.ITSELF
    act: Callable[[Altering, Tree], None] | None = None


_SUE, _SRE = Mode.SHARE_UPDATE_EXCLUSIVE, Mode.SHARE_ROW_EXCLUSIVE
_TRIGGER = Form(_SRE, Reach.PARTITIONS)
_COLUMN = Form(reach=Reach.ALL, act=columns.existing_column)
_FREE = Form()
_REWRITE = Form(act=storage.rewrite)

# AlterTableGetLockLevel and ATPrepCmd of PostgreSQL 14 to 18.
FORMS: Mapping[str, Form] = {
    "AT_AddColumn": Form(reach=Reach.ALL, act=columns.add_column),
    "AT_DropColumn": Form(reach=Reach.ALL, act=columns.drop_column),
    "AT_AlterColumnType": Form(reach=Reach.ALL, act=column_types.alter_type),
    "AT_SetNotNull": Form(reach=Reach.ALL, act=columns.set_not_null),
    "AT_DropNotNull": Form(reach=Reach.ALL, act=columns.drop_not_null),
    "AT_ColumnDefault": Form(reach=Reach.ALL, act=columns.change_default),
    "AT_SetStorage": _COLUMN,
    "AT_SetCompression": Form(act=columns.existing_column),
    "AT_SetStatistics": Form(_SUE, Reach.ALL, columns.existing_column),
    "AT_SetOptions": Form(_SUE, act=columns.existing_column),
    "AT_ResetOptions": Form(_SUE, act=columns.existing_column),
    "AT_AddIdentity": Form(act=columns.add_identity),
    "AT_SetIdentity": Form(act=columns.change_identity),
    "AT_DropIdentity": Form(act=columns.change_identity),
    "AT_SetExpression": Form(reach=Reach.ALL, act=columns.set_expression),
    "AT_DropExpression": _COLUMN,
    "AT_AddConstraint": Form(constraints.mode_of_added, Reach.ALL, constraints.add_constraint),
    "AT_DropConstraint": Form(reach=Reach.ALL, act=constraints.drop_constraint),
    "AT_ValidateConstraint": Form(_SUE, Reach.ALL, constraints.validate_constraint),
    "AT_AlterConstraint": Form(reach=Reach.PARTITIONS, act=constraints.alter_constraint),
    "AT_ClusterOn": Form(_SUE, act=storage.cluster_on),
    "AT_DropCluster": Form(_SUE),
    "AT_SetRelOptions": Form(storage.mode_of_options),
    "AT_ResetRelOptions": Form(storage.mode_of_options),
    "AT_SetLogged": Form(act=storage.set_logged),
    "AT_SetUnLogged": Form(act=storage.set_logged),
    "AT_SetAccessMethod": Form(act=storage.set_access_method),
    "AT_SetTableSpace": Form(act=storage.set_tablespace),
    "AT_EnableTrig": _TRIGGER,
    "AT_EnableAlwaysTrig": _TRIGGER,
    "AT_EnableReplicaTrig": _TRIGGER,
    "AT_DisableTrig": _TRIGGER,
    "AT_EnableTrigAll": _TRIGGER,
    "AT_DisableTrigAll": _TRIGGER,
    "AT_EnableTrigUser": _TRIGGER,
    "AT_DisableTrigUser": _TRIGGER,
    "AT_EnableRule": _FREE,
    "AT_EnableAlwaysRule": _FREE,
    "AT_EnableReplicaRule": _FREE,
    "AT_DisableRule": _FREE,
    "AT_EnableRowSecurity": _FREE,
    "AT_DisableRowSecurity": _FREE,
    "AT_ForceRowSecurity": _FREE,
    "AT_NoForceRowSecurity": _FREE,
    "AT_ChangeOwner": Form(act=storage.change_owner),
    "AT_ReplicaIdentity": Form(act=storage.replica_identity),
    "AT_AddInherit": Form(act=partitions.inherit),
    "AT_DropInherit": Form(act=partitions.no_inherit),
    "AT_DropOids": _FREE,
    "AT_AddOf": _FREE,
    "AT_DropOf": _FREE,
    "AT_AttachPartition": Form(_SUE, act=partitions.attach),
    "AT_DetachPartition": Form(partitions.mode_of_detach, act=partitions.detach),
    "AT_DetachPartitionFinalize": Form(_SUE, act=partitions.finalize_detach),
    "AT_GenericOptions": _FREE,
    "AT_AlterColumnGenericOptions": Form(act=columns.existing_column),
}


def alter_table(g: Gathering, tree: Tree) -> None:
    """ALTER TABLE, VIEW, SEQUENCE, FOREIGN TABLE, MATERIALIZED VIEW, TYPE and INDEX, with all its commands."""
    if tree.enum("objtype") == "OBJECT_INDEX" or g.schema.find_index(tree.relation()) is not None:
        alter_index(g, tree)
        return
    target = tree.get("relation")
    what = tree.enum("objtype").removeprefix("OBJECT_").lower().replace("_", " ")
    relation = g.find(tree.relation(), missing_ok=tree.flag("missing_ok"), what=what)
    if relation is None or target is None:
        return
    commands = tree.each("cmds")
    forms = [FORMS.get(one.enum("subtype")) for one in commands]
    mode = max((_mode(form, one, g.version) for form, one in zip(forms, commands, strict=True)), default=Mode(1))
    only = not target.flag("inh")
    tables = [relation] if only else list(family(g.schema, relation))
    altering = Altering(
        gathering=g,
        relation=relation,
        tables=tuple(tables),
        commands=commands,
        mode=mode,
        only=only,
        adds=added_columns(commands),
        drops=named(commands, "AT_DropConstraint"),
        loses_default=frozenset(
            one.text("name")
            for one in commands
            if one.enum("subtype") == "AT_ColumnDefault" and one.get("def_") is None
        ),
    )
    g.lock(relation, mode)
    _lock_below(altering, forms)
    dropping = {"AT_DropColumn", "AT_DropConstraint"}
    for first in (True, False):
        for form, command in zip(forms, commands, strict=True):
            if form is not None and form.act is not None and (command.enum("subtype") in dropping) is first:
                form.act(altering, command)
        altering = after_drops(altering, commands)


def _mode(form: Form | None, command: Tree, version: int) -> Mode:
    if form is None:
        return Mode.ACCESS_EXCLUSIVE
    return form.mode if isinstance(form.mode, Mode) else form.mode(command, version)


def _lock_below(a: Altering, forms: list[Form | None]) -> None:
    """Lock the tables below as far down as each command goes."""
    g, because = a.gathering, f"it is below {a.relation.name}"
    for form, command in zip(forms, a.commands, strict=True):
        if form is None:
            g.doubt(command.enum("subtype").removeprefix("AT_"))
        elif _goes_down(form, a.relation.kind, command, g.version):
            for one in a.tables[1:]:
                g.lock(one, a.mode, because=because)
    below = tuple(family(g.schema, a.relation))[1:] if a.only else ()
    _refuse_only(a, below)
    if any(one.enum("subtype") == "AT_DropColumn" for one in a.commands):
        for table in below:  # their columns become their own
            g.lock(table, a.mode, because=because)


_ALL_GO_DOWN = 18
"""Since this version every ADD CONSTRAINT but a foreign key locks the tables below."""

# What ONLY may not do where there are tables below: they would differ from their parent.
_NEVER_ONLY = frozenset({"AT_AddColumn", "AT_AlterColumnType"})
_NEVER_ONLY_PARTITIONED = frozenset({"AT_DropColumn"})


def _refuse_only(a: Altering, below: tuple[Relation, ...]) -> None:
    if not a.only or not below:
        return
    for one in a.commands:
        kind = one.enum("subtype")
        is_refused = kind in _NEVER_ONLY or (kind in _NEVER_ONLY_PARTITIONED and a.relation.kind is Kind.PARTITIONED)
        if is_refused:
            a.gathering.fail_if_sure(f"{below[0].name} below {a.relation.name} must change too: leave ONLY out")


def _goes_down(form: Form, kind: Kind, command: Tree, version: int) -> bool:
    if form.reach is not Reach.ALL:
        return form.reach is Reach.PARTITIONS and kind is Kind.PARTITIONED
    definition = command.get("def_") if command.enum("subtype") == "AT_AddConstraint" else None
    if definition is None:
        return True
    contype = definition.enum("contype")
    if contype == "CONSTR_FOREIGN":
        return kind is Kind.PARTITIONED
    if version >= _ALL_GO_DOWN:
        return True
    if contype == "CONSTR_CHECK":
        return not definition.flag("is_no_inherit")
    return contype == "CONSTR_PRIMARY"

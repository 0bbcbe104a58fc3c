"""ALTER TABLE: its commands in the order in which the server carries them out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from checks.model.edit import Refused, current, owned_sequences, require
from checks.model.relations import Kind, Name, Relation
from checks.model.schema import Schema
from checks.model.steps import alter_columns as columns
from checks.model.steps import partitions
from checks.model.steps.columns import read_column, wanted
from checks.model.steps.constraints import add_constraint, drop_constraint, validate
from checks.model.steps.indexes import attach_index
from checks.tree import Tree

# The passes of ALTER TABLE (tablecmds.c, AlterTablePass); what is not named comes last.
_DROP, _TYPE, _ADD_COLUMN, _SET_EXPRESSION, _ADD_NOT_NULL, _COLUMN_ATTRIBUTES, _ADD_INDEX, _ADD_OTHER, _MISC = range(9)
_PASSES = {
    "AT_DropColumn": _DROP, "AT_DropConstraint": _DROP, "AT_DropNotNull": _DROP, "AT_DropIdentity": _DROP,
    "AT_DropExpression": _DROP, "AT_DropInherit": _DROP, "AT_AlterColumnType": _TYPE, "AT_AddColumn": _ADD_COLUMN,
    "AT_SetExpression": _SET_EXPRESSION, "AT_SetNotNull": _COLUMN_ATTRIBUTES, "AT_AddIdentity": _ADD_OTHER,
    "AT_ColumnDefault": _ADD_OTHER,
}  # fmt: skip
_PASSES_OF_CONSTRAINTS = {
    "CONSTR_PRIMARY": _ADD_INDEX, "CONSTR_UNIQUE": _ADD_INDEX, "CONSTR_EXCLUSION": _ADD_INDEX,
    "CONSTR_CHECK": _ADD_OTHER, "CONSTR_FOREIGN": _MISC, "CONSTR_NOTNULL": _COLUMN_ATTRIBUTES,
}  # fmt: skip
# They change nothing that the model holds.
_UNSEEN = frozenset(
    """
    AT_SetStatistics AT_SetOptions AT_ResetOptions AT_SetStorage AT_SetCompression AT_SetRelOptions
    AT_ResetRelOptions AT_ReplaceRelOptions AT_ClusterOn AT_DropCluster AT_SetTableSpace AT_ChangeOwner
    AT_EnableTrig AT_EnableAlwaysTrig AT_EnableReplicaTrig AT_DisableTrig AT_EnableTrigAll
    AT_DisableTrigAll AT_EnableTrigUser AT_DisableTrigUser AT_EnableRule AT_EnableAlwaysRule
    AT_EnableReplicaRule AT_DisableRule AT_ReplicaIdentity AT_EnableRowSecurity AT_DisableRowSecurity
    AT_ForceRowSecurity AT_NoForceRowSecurity AT_GenericOptions AT_AlterColumnGenericOptions AT_AddOf
    AT_DropOf AT_DropOids AT_DetachPartitionFinalize AT_SetIdentity
    """.split()  # noqa: SIM905 - words, not a list of strings
)

Step = Callable[[Schema], Schema]


def alter_table(schema: Schema, tree: Tree) -> Schema:
    """ALTER TABLE, ALTER INDEX, ALTER VIEW and ALTER TYPE with commands."""
    if tree.enum("objtype") == "OBJECT_INDEX":
        is_attach = any(one.enum("subtype") == "AT_AttachPartition" for one in tree.each("cmds"))
        return attach_index(schema, tree) if is_attach else schema
    relation = require(schema, tree.relation())
    on = tree.get("relation")
    only = on is not None and not on.flag("inh") and relation.kind is not Kind.COMPOSITE
    before = schema
    steps = [
        found
        for command in tree.each("cmds")
        if not _is_there(command, relation)
        for found in _steps(command, relation.name, only=only)
    ]
    for _, step in sorted(steps, key=lambda one: one[0]):
        try:
            schema = step(schema)
        except Refused:
            # One command that the server refuses ends the statement. Where the model may be wrong, the others count.
            if schema.is_certain:
                return before
    return schema


def _is_there(command: Tree, relation: Relation) -> bool:
    """True for ADD COLUMN IF NOT EXISTS of one that exists: neither it nor its constraints are added."""
    definition = command.get("def_")
    is_addition = command.enum("subtype") == "AT_AddColumn" and command.flag("missing_ok")
    return is_addition and definition is not None and definition.text("colname") in relation.columns


def _steps(command: Tree, table: Name, *, only: bool) -> Iterator[tuple[int, Step]]:
    """Yield what a command does, each with the pass it is done in."""
    subtype, definition = command.enum("subtype"), command.get("def_")
    if subtype == "AT_AddColumn" and definition:
        yield _ADD_COLUMN, lambda schema: columns.add(schema, table, definition, only=only)
        for inline in read_column(definition, Schema()).wanted:
            number = _PASSES_OF_CONSTRAINTS[inline.kind]
            yield number, partial(add_constraint, table=table, wanted=inline, only=only)
    elif subtype in {"AT_AddConstraint", "AT_AddIndexConstraint"} and definition:
        asked = wanted(definition)
        yield _PASSES_OF_CONSTRAINTS.get(asked.kind, _MISC), lambda one: add_constraint(one, table, asked, only=only)
    else:
        yield _PASSES.get(subtype, _MISC), lambda schema: _command(schema, table, command, only=only)


def _command(schema: Schema, table: Name, command: Tree, *, only: bool) -> Schema:  # noqa: PLR0911 - one for each
    subtype, name, definition = command.enum("subtype"), command.text("name"), command.get("def_")
    relation = current(schema, table)
    if subtype in _UNSEEN:
        return schema
    if subtype in columns.COMMANDS:
        return columns.alter(schema, table, command, only=only)
    if subtype in {"AT_DropColumn", "AT_DropConstraint"}:
        return _drop(schema, relation, command, only=only)
    if subtype == "AT_ValidateConstraint":
        return validate(schema, table, name)
    if subtype in {"AT_SetLogged", "AT_SetUnLogged"}:
        for one in (table, *owned_sequences(schema, table)):
            schema = schema.having(replace(current(schema, one), is_logged=subtype == "AT_SetLogged"))
        return schema
    if subtype == "AT_SetAccessMethod":
        return schema.having(replace(relation, access_method=name))
    if definition and (step := _WITH_DEFINITION.get(subtype)):
        return step(schema, table, definition)
    return schema.doubting(f"ALTER TABLE with {subtype.removeprefix('AT_')}")


def _drop(schema: Schema, relation: Relation, command: Tree, *, only: bool) -> Schema:
    name, cascade = command.text("name"), command.enum("behavior") == "DROP_CASCADE"
    is_column = command.enum("subtype") == "AT_DropColumn"
    if command.flag("missing_ok") and name not in (relation.columns if is_column else relation.constraints):
        return schema
    if is_column:
        return columns.drop(schema, relation.name, name, cascade=cascade, only=only)
    return drop_constraint(schema, relation.name, name, cascade=cascade)


_WITH_DEFINITION: dict[str, Callable[[Schema, Name, Tree], Schema]] = {
    "AT_AlterConstraint": columns.alter_constraint,
    "AT_AttachPartition": partitions.attach,
    "AT_DetachPartition": partitions.detach,
    "AT_AddInherit": partitions.add_parent,
    "AT_DropInherit": partitions.drop_parent,
}

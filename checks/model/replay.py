"""What a statement leaves behind: a schema and a statement to the next schema."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

from checks.model.edit import Refused
from checks.model.schema import TEMPORARY, Schema
from checks.model.steps import user_types
from checks.model.steps.alter import alter_table
from checks.model.steps.attached import alter_policy, create_policy, create_rule
from checks.model.steps.calls import follow_calls
from checks.model.steps.drops import drop
from checks.model.steps.extensions import create_extension
from checks.model.steps.filled import empty, with_rows
from checks.model.steps.grants import grant
from checks.model.steps.indexes import create_index
from checks.model.steps.paths import set_variable
from checks.model.steps.programs import alter_function, create_function
from checks.model.steps.renames import move, rename
from checks.model.steps.sequences import alter_sequence, create_sequence
from checks.model.steps.tables import create_table
from checks.model.steps.triggers import create_trigger
from checks.model.steps.views import create_table_as, create_view, select_into
from checks.tree import Tree

if TYPE_CHECKING:
    from checks.statements import Script, Statement


def begin(schema: Schema) -> Schema:
    """Return the schema as the next script meets it: nothing is new, search path and time zone are the usual ones.

    Temporary tables are gone with the session that made them.
    """
    schema = empty(schema)
    if gone := [name for name in schema.relations if name.schema == TEMPORARY]:
        schema = schema.lacking(*gone)
    return replace(schema, script=schema.script + 1, path=schema.usual_path, time_zone=schema.usual_time_zone)


def replay(schema: Schema, statement: Statement) -> Schema:
    """Return the schema after one statement. What cannot be followed is left as it is, and told as a doubt.

    A statement that the server would refuse changes nothing.
    """
    try:
        after = with_rows(schema, _after(schema, statement.tree, statement.kind), statement.tree)
    except Refused:
        return schema
    told = len(schema.doubts)
    if len(after.doubts) == told:
        return after
    placed = tuple(f"{doubt} (line {statement.line})" for doubt in after.doubts[told:])
    return replace(after, doubts=(*after.doubts[:told], *placed))


def replay_script(schema: Schema, script: Script) -> Schema:
    """Return the schema after a whole script."""
    schema = begin(schema)
    for statement in script.statements:
        schema = replay(schema, statement)
    return schema


def _after(schema: Schema, tree: Tree, kind: str) -> Schema:
    if step := _STEPS.get(tree.tag):
        return step(schema, tree)
    return schema if tree.tag in _UNSEEN else schema.doubting(f"{kind} was not followed")


def _create_schema(schema: Schema, tree: Tree) -> Schema:
    role = tree.get("authrole")
    name = tree.text("schemaname") or (role.text("rolename") if role else "")
    if name in schema.schemas:
        raise Refused(name)
    path = schema.path
    inner = replace(schema, schemas=schema.schemas | {name}, path=(name, *path))
    for element in tree.each("schemaElts"):
        inner = _after(inner, element, "an element of CREATE SCHEMA")
    return replace(inner, path=path)


def _query(schema: Schema, tree: Tree) -> Schema:
    schema = follow_calls(schema, tree)
    return select_into(schema, tree) if tree.get("intoClause") else schema


def _table_as(schema: Schema, tree: Tree) -> Schema:
    query = tree.get("query")
    if query is not None and query.tag == "ExecuteStmt":
        return schema.doubting("EXECUTE of a prepared statement")
    return create_table_as(follow_calls(schema, tree), tree)


def _explain(schema: Schema, tree: Tree) -> Schema:
    query = tree.get("query")
    if query is None or not tree.switched_on("analyze"):
        return schema
    return _after(schema, query, "EXPLAIN ANALYZE")


_STEPS: dict[str, Callable[[Schema, Tree], Schema]] = {
    "CreateStmt": create_table,
    "CreateForeignTableStmt": create_table,
    "CreateTableAsStmt": _table_as,
    "ViewStmt": create_view,
    "IndexStmt": create_index,
    "AlterTableStmt": alter_table,
    "DropStmt": drop,
    "RenameStmt": rename,
    "AlterObjectSchemaStmt": move,
    "CreateSchemaStmt": _create_schema,
    "CreateSeqStmt": create_sequence,
    "AlterSeqStmt": alter_sequence,
    "CreateExtensionStmt": create_extension,
    "CreateFunctionStmt": create_function,
    "AlterFunctionStmt": alter_function,
    "CreateTrigStmt": create_trigger,
    "GrantStmt": grant,
    "RuleStmt": create_rule,
    "CreatePolicyStmt": create_policy,
    "AlterPolicyStmt": alter_policy,
    "DefineStmt": user_types.create_base,
    "VariableSetStmt": set_variable,
    "SelectStmt": _query,
    "InsertStmt": follow_calls,
    "UpdateStmt": follow_calls,
    "DeleteStmt": follow_calls,
    "MergeStmt": follow_calls,
    "ExplainStmt": _explain,
    **user_types.STEPS,
}
# They leave every table, type and function as it was, or only make what the model does not hold. What is neither here
# nor above is a doubt.
_UNSEEN = frozenset(
    """
    CommentStmt SecLabelStmt GrantRoleStmt AlterDefaultPrivilegesStmt AlterOwnerStmt
    VariableShowStmt TransactionStmt LockStmt TruncateStmt VacuumStmt ClusterStmt ReindexStmt CopyStmt
    CheckPointStmt ConstraintsSetStmt NotifyStmt ListenStmt UnlistenStmt PrepareStmt DeallocateStmt
    DeclareCursorStmt ClosePortalStmt FetchStmt RefreshMatViewStmt
    CreateStatsStmt AlterStatsStmt CreatePublicationStmt AlterPublicationStmt
    CreateSubscriptionStmt AlterSubscriptionStmt DropSubscriptionStmt CreateRoleStmt AlterRoleStmt
    AlterRoleSetStmt DropRoleStmt CreateUserMappingStmt AlterUserMappingStmt DropUserMappingStmt
    CreateFdwStmt AlterFdwStmt CreateForeignServerStmt AlterForeignServerStmt CreateTableSpaceStmt
    AlterTableSpaceOptionsStmt DropTableSpaceStmt CreatedbStmt AlterDatabaseStmt AlterDatabaseSetStmt
    AlterDatabaseRefreshCollStmt DropdbStmt AlterSystemStmt CreateEventTrigStmt AlterEventTrigStmt
    CreateCastStmt CreateConversionStmt CreateOpClassStmt CreateOpFamilyStmt AlterOpFamilyStmt
    CreatePLangStmt CreateTransformStmt CreateAmStmt AlterOperatorStmt AlterTypeStmt
    AlterTSConfigurationStmt AlterTSDictionaryStmt AlterCollationStmt AlterObjectDependsStmt
    LoadStmt
    """.split()  # noqa: SIM905 - words, not a list of strings
)

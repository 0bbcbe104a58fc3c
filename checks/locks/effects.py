"""From a statement to its effects: every kind of statement with what looks at it."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from checks.locks import alter, data, drops, indexes, objects, tables, types, views
from checks.locks.gathering import Gathering
from checks.locks.missing import refuse_missing
from checks.locks.taken import refuse_taken
from checks.locks.values import Effects
from checks.model import Schema
from checks.statements import Statement
from checks.tree import Tree

Look = Callable[[Gathering, Tree], None]


def effects_of(statement: Statement, schema: Schema, version: int) -> Effects:
    """Return what a statement does on a schema, on a server of this major version (14 to 18).

    `schema` is the one the statement meets. What cannot be analysed is named in `unknown`, never left out.
    """
    gathering = Gathering(schema, version)
    _look(gathering, statement.tree, statement.kind)
    return gathering.effects()


def _look(g: Gathering, tree: Tree, kind: str) -> None:
    refuse_taken(g, tree)
    refuse_missing(g, tree)
    if (look := _LOOKS.get(tree.tag)) is not None:
        look(g, tree)
    elif tree.tag == "CreateSchemaStmt":
        for element in tree.each("schemaElts"):
            _look(g, element, element.tag)
    elif tree.tag not in _HARMLESS:
        g.doubt(kind)


def _unknown(words: str) -> Look:
    def look(g: Gathering, tree: Tree) -> None:
        del tree
        g.doubt(words)

    return look


_LOOKS: Mapping[str, Look] = {
    "AlterTableStmt": alter.alter_table,
    "CreateStmt": tables.create_table,
    "CreateForeignTableStmt": tables.create_foreign_table,
    "CreateTableAsStmt": tables.create_table_as,
    "TruncateStmt": drops.truncate,
    "ClusterStmt": tables.cluster,
    "VacuumStmt": tables.vacuum,
    "DropStmt": objects.drop,
    "RenameStmt": objects.rename,
    "AlterObjectSchemaStmt": objects.set_schema,
    "CreateTrigStmt": objects.create_trigger,
    "CreatePolicyStmt": objects.on_table,
    "AlterPolicyStmt": objects.on_table,
    "RuleStmt": objects.on_table,
    "CommentStmt": objects.comment,
    "SecLabelStmt": objects.comment,
    "GrantStmt": objects.grant,
    "CreatePublicationStmt": objects.publication,
    "AlterPublicationStmt": objects.publication,
    "CreateStatsStmt": objects.statistics,
    "ExplainStmt": objects.explain,
    "IndexStmt": indexes.create_index,
    "ReindexStmt": indexes.reindex,
    "ViewStmt": views.create_view,
    "RefreshMatViewStmt": views.refresh,
    "CreateSeqStmt": views.create_sequence,
    "AlterSeqStmt": views.alter_sequence,
    "AlterDomainStmt": types.alter_domain,
    "CreateFunctionStmt": types.create_function,
    "SelectStmt": data.query,
    "InsertStmt": data.query,
    "UpdateStmt": data.query,
    "DeleteStmt": data.query,
    "MergeStmt": data.query,
    "CopyStmt": data.copy,
    "LockStmt": data.lock,
    "PrepareStmt": data.inner_query,
    "DeclareCursorStmt": data.inner_query,
    "DoStmt": _unknown("a DO block"),
    "CallStmt": _unknown("what the procedure does"),
    "ExecuteStmt": _unknown("the prepared statement"),
    "DropOwnedStmt": _unknown("what the role owns"),
    "ReassignOwnedStmt": _unknown("what the role owns"),
    "AlterTableMoveAllStmt": _unknown("which relations the tablespace holds"),
    "AlterExtensionStmt": _unknown("what the new version of the extension changes"),
    "CreateSubscriptionStmt": _unknown("which tables the subscription has"),
    "AlterSubscriptionStmt": _unknown("which tables the subscription has"),
    "DropSubscriptionStmt": _unknown("which tables the subscription has"),
}
# They make what is new, change what is no relation, or are about the session: no relation that is there is locked.
_HARMLESS = frozenset(
    [
        "TransactionStmt",
        "VariableSetStmt",
        "VariableShowStmt",
        "DiscardStmt",
        "DeallocateStmt",
        "ClosePortalStmt",
        "FetchStmt",
        "ListenStmt",
        "UnlistenStmt",
        "NotifyStmt",
        "CheckPointStmt",
        "LoadStmt",
        "ConstraintsSetStmt",
        "DefineStmt",
        "CompositeTypeStmt",
        "CreateEnumStmt",
        "CreateRangeStmt",
        "CreateDomainStmt",
        "AlterEnumStmt",
        "AlterTypeStmt",
        "CreateCastStmt",
        "CreateConversionStmt",
        "CreateTransformStmt",
        "CreateOpClassStmt",
        "CreateOpFamilyStmt",
        "AlterOpFamilyStmt",
        "AlterOperatorStmt",
        "AlterFunctionStmt",
        "AlterCollationStmt",
        "AlterTSDictionaryStmt",
        "AlterTSConfigurationStmt",
        "CreateExtensionStmt",
        "CreateRoleStmt",
        "AlterRoleStmt",
        "AlterRoleSetStmt",
        "DropRoleStmt",
        "GrantRoleStmt",
        "CreatedbStmt",
        "DropdbStmt",
        "AlterDatabaseStmt",
        "AlterDatabaseSetStmt",
        "AlterDatabaseRefreshCollStmt",
        "CreateTableSpaceStmt",
        "DropTableSpaceStmt",
        "AlterTableSpaceOptionsStmt",
        "AlterSystemStmt",
        "CreatePLangStmt",
        "CreateAmStmt",
        "CreateFdwStmt",
        "AlterFdwStmt",
        "CreateForeignServerStmt",
        "AlterForeignServerStmt",
        "CreateUserMappingStmt",
        "AlterUserMappingStmt",
        "DropUserMappingStmt",
        "ImportForeignSchemaStmt",
        "CreateEventTrigStmt",
        "AlterEventTrigStmt",
        "AlterDefaultPrivilegesStmt",
        "AlterOwnerStmt",
        "AlterObjectDependsStmt",
        "AlterExtensionContentsStmt",
    ]
)

"""How a statement is called, and whether it can run in a transaction: decided from the parse tree, never from text."""

from __future__ import annotations

import re

from checks.tree import Tree

_TAGS = {
    "AlterEnumStmt": "ALTER TYPE",
    "AlterObjectSchemaStmt": "ALTER SET SCHEMA",
    "AlterOwnerStmt": "ALTER OWNER",
    "AlterSeqStmt": "ALTER SEQUENCE",
    "AlterTableSpaceOptionsStmt": "ALTER TABLESPACE",
    "CompositeTypeStmt": "CREATE TYPE",
    "ConstraintsSetStmt": "SET CONSTRAINTS",
    "CreateEnumStmt": "CREATE TYPE",
    "CreateRangeStmt": "CREATE TYPE",
    "CreatePLangStmt": "CREATE LANGUAGE",
    "CreateSeqStmt": "CREATE SEQUENCE",
    "CreateStatsStmt": "CREATE STATISTICS",
    "CreateStmt": "CREATE TABLE",
    "CreateTableAsStmt": "CREATE TABLE AS",
    "CreateTableSpaceStmt": "CREATE TABLESPACE",
    "CreateTrigStmt": "CREATE TRIGGER",
    "CreatedbStmt": "CREATE DATABASE",
    "DropTableSpaceStmt": "DROP TABLESPACE",
    "DropdbStmt": "DROP DATABASE",
    "RefreshMatViewStmt": "REFRESH MATERIALIZED VIEW",
    "RuleStmt": "CREATE RULE",
    "SecLabelStmt": "SECURITY LABEL",
    "VariableShowStmt": "SHOW",
    "ViewStmt": "CREATE VIEW",
}


_RENAMED_WITHIN = {"TABCONSTRAINT": "TABLE", "DOMCONSTRAINT": "DOMAIN", "ATTRIBUTE": "TYPE"}


def kind_of(tree: Tree) -> str:  # noqa: C901, PLR0911 - a table
    """Return a readable tag such as `CREATE INDEX CONCURRENTLY`."""
    suffix = " CONCURRENTLY" if tree.flag("concurrent") or tree.switched_on("concurrently", among="params") else ""
    match tree.tag:
        case "IndexStmt":
            return "CREATE INDEX" + suffix
        case "CreateTableAsStmt" if tree.enum("objtype") == "OBJECT_MATVIEW":
            return "CREATE MATERIALIZED VIEW"
        case "DropStmt":
            return f"DROP {_object_words(tree.enum('removeType'))}{suffix}"
        case "ReindexStmt":
            return f"REINDEX {tree.enum('kind').rpartition('_')[2]}{suffix}"
        case "AlterTableStmt":
            return f"ALTER {_object_words(tree.enum('objtype'))}"
        case "RenameStmt":
            relation = "relationType" if tree.enum("renameType") == "OBJECT_COLUMN" else "renameType"
            words = _object_words(tree.enum(relation))
            return f"ALTER {_RENAMED_WITHIN.get(words, words)} RENAME"
        case "TransactionStmt":
            return tree.enum("kind").removeprefix("TRANS_STMT_").replace("_", " ")
        case "VacuumStmt":
            return "VACUUM" if tree.flag("is_vacuumcmd") else "ANALYZE"
        case "VariableSetStmt":
            return "RESET" if tree.enum("kind").startswith("VAR_RESET") else "SET"
        case "GrantStmt" | "GrantRoleStmt":
            return "GRANT" if tree.flag("is_grant") else "REVOKE"
        case "DefineStmt":
            return f"CREATE {_object_words(tree.enum('kind'))}"
        case tag:
            return _TAGS.get(tag, _spaced(tag)) + suffix


def _object_words(name: str) -> str:
    return name.removeprefix("OBJECT_").replace("_", " ").replace("MATVIEW", "MATERIALIZED VIEW")


def _spaced(tag: str) -> str:
    """Return `CreateExtensionStmt` as `CREATE EXTENSION`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", tag.removesuffix("Stmt")).upper()


_ALWAYS_OUTSIDE = frozenset(
    {"AlterSystemStmt", "CreatedbStmt", "DropdbStmt", "CreateTableSpaceStmt", "DropTableSpaceStmt"}
)


def must_run_outside_transaction(tree: Tree) -> bool:  # noqa: PLR0911 - a table
    """True when PostgreSQL refuses this statement inside a transaction block (SQLSTATE 25001).

    REFRESH MATERIALIZED VIEW CONCURRENTLY, CLUSTER of one table and ALTER TYPE ADD VALUE are allowed inside, contrary
    to common lists. What depends on the catalogue, such as REINDEX of a partitioned table, cannot be told here.
    """
    match tree.tag:
        case "IndexStmt" | "DropStmt":
            return tree.flag("concurrent")
        case "ReindexStmt":
            whole = tree.enum("kind") in {
                "REINDEX_OBJECT_SCHEMA",
                "REINDEX_OBJECT_SYSTEM",
                "REINDEX_OBJECT_DATABASE",
            }
            return whole or tree.switched_on("concurrently", among="params")
        case "VacuumStmt":
            return tree.flag("is_vacuumcmd")
        case "ClusterStmt":
            return not tree.relation()
        case "DiscardStmt":
            return tree.enum("target") == "DISCARD_ALL"
        case "AlterTableStmt":
            return any(
                definition is not None and definition.tag == "PartitionCmd" and definition.flag("concurrent")
                for definition in (command.get("def_") for command in tree.each("cmds"))
            )
        case "AlterDatabaseStmt":
            return tree.option("tablespace") is not None
        case "CreateSubscriptionStmt" | "DropSubscriptionStmt" | "AlterSubscriptionStmt":
            return _subscription(tree)
        case tag:
            return tag in _ALWAYS_OUTSIDE


_MAY_REFUSE = frozenset({"CallStmt", "DoStmt", "ReindexStmt", "ClusterStmt"})


def may_need_no_transaction(tree: Tree) -> bool:
    """True when only the server knows whether this statement refuses a transaction block.

    A procedure or a DO block may commit (2D000), and what REINDEX or CLUSTER names may be partitioned (25001).
    """
    return tree.tag in _MAY_REFUSE


def _subscription(tree: Tree) -> bool:
    if tree.tag == "DropSubscriptionStmt":
        # Only with a replication slot, which the catalogue knows; outside it runs either way.
        return True
    if tree.tag == "CreateSubscriptionStmt":
        return tree.switched_on("create_slot", default=tree.switched_on("connect", default=True))
    kind = tree.enum("kind")
    if kind == "ALTER_SUBSCRIPTION_REFRESH":
        return True
    if kind in {
        "ALTER_SUBSCRIPTION_SET_PUBLICATION",
        "ALTER_SUBSCRIPTION_ADD_PUBLICATION",
        "ALTER_SUBSCRIPTION_DROP_PUBLICATION",
    }:
        return tree.switched_on("refresh", default=True)
    return any(tree.option(name) is not None for name in ("failover", "two_phase"))

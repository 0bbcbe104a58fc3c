"""Rules and policies: what hangs on a table and names others."""

from __future__ import annotations

from dataclasses import replace

from checks.model.edit import Refused, require, without
from checks.model.relations import Name, Relation
from checks.model.schema import Schema
from checks.model.sources import relations_read
from checks.names import qualified
from checks.tree import Tree


def create_rule(schema: Schema, tree: Tree) -> Schema:
    """CREATE [OR REPLACE] RULE."""
    relation, name = require(schema, tree.relation()), tree.text("rulename")
    if name in relation.rules and not tree.flag("replace"):
        raise Refused(name)
    named: frozenset[Name] = frozenset()
    for action in tree.each("actions"):
        named |= relations_read(action, schema)
    return schema.having(replace(relation, rules={**relation.rules, name: named}))


def create_policy(schema: Schema, tree: Tree) -> Schema:
    """CREATE POLICY."""
    relation, name = require(schema, tree.relation("table")), tree.text("policy_name")
    if name in relation.policies:
        raise Refused(name)
    return schema.having(_with_policy(relation, name, _conditions(tree)))


def alter_policy(schema: Schema, tree: Tree) -> Schema:
    """ALTER POLICY: a new condition takes the place of the old one; the other stays."""
    relation, name = require(schema, tree.relation("table")), tree.text("policy_name")
    if name not in relation.policies:
        raise Refused(name)
    is_whole = tree.get("qual") is not None and tree.get("with_check") is not None
    kept = () if is_whole else (relation.policies[name],)
    told = " AND ".join(one for one in (*kept, _conditions(tree)) if one)
    return schema.having(_with_policy(relation, name, told))


def drop_attached(schema: Schema, kind: str, item: Tree) -> Schema:
    """DROP RULE and DROP POLICY."""
    *table, name = (part.text("sval") for part in item.items())
    relation = require(schema, qualified(*table))
    if kind == "RULE":
        if name not in relation.rules:
            raise Refused(name)
        return schema.having(replace(relation, rules=without(relation.rules, name)))
    if name not in relation.policies:
        raise Refused(name)
    return schema.having(replace(relation, policies=without(relation.policies, name)))


def rename_attached(schema: Schema, kind: str, table: str, old: str, new: str) -> Schema:
    """ALTER RULE and ALTER POLICY … RENAME."""
    relation = require(schema, table)
    if kind == "RULE" and old in relation.rules:
        return schema.having(replace(relation, rules={**without(relation.rules, old), new: relation.rules[old]}))
    if kind == "POLICY" and old in relation.policies:
        return schema.having(_with_policy(replace(relation, policies=without(relation.policies, old)), new,
                                          relation.policies[old]))  # fmt: skip
    raise Refused(old)


def _with_policy(relation: Relation, name: str, conditions: str) -> Relation:
    return replace(relation, policies={**relation.policies, name: conditions})


def _conditions(tree: Tree) -> str:
    found = [one.sql() for name in ("qual", "with_check") if (one := tree.get(name)) is not None]
    return " AND ".join(f"({one})" for one in found)

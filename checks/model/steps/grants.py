"""GRANT and REVOKE on tables and views: which role got which privilege, as far as statements say it."""

from __future__ import annotations

from dataclasses import replace

from checks.model.schema import Schema
from checks.tree import Tree

EVERYBODY = "public"


def grant(schema: Schema, tree: Tree) -> Schema:
    """GRANT and REVOKE. What is on single columns, schemas, functions and others is not in the model."""
    if tree.enum("objtype") != "OBJECT_TABLE" or tree.enum("targtype") != "ACL_TARGET_OBJECT":
        return schema
    privileges = frozenset(one.text("priv_name").upper() for one in tree.each("privileges")) or frozenset({"ALL"})
    if any(one.each("cols") for one in tree.each("privileges")):
        return schema
    roles = [one.text("rolename") or EVERYBODY for one in tree.each("grantees")]
    for one in tree.each("objects"):
        if (held := schema.find(one.range_name())) is None:
            continue
        now = dict(held.privileges)
        for role in roles:
            had = now.get(role, frozenset())
            if tree.flag("is_grant"):
                now[role] = had | privileges
            else:
                now[role] = frozenset() if "ALL" in privileges else had - privileges
        schema = schema.having(replace(held, privileges={role: left for role, left in now.items() if left}))
    return schema

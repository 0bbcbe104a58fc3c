"""Which SQL came with which version of PostgreSQL after 14, the oldest that is supported."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from checks.context import NEWEST_VERSION
from checks.statements import Statement
from checks.tree import Tree

_SMALL = frozenset({"CreateStmt", "AlterTableStmt", "GrantRoleStmt"})
# Of the others only those with one of these words: a walk through every INSERT would take too long.
_WORDS = re.compile(
    r"\b(?:nulls|merge|json\w*|returning|publication|statistics|security_invoker|generated|enforced|unlogged)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Form:
    """Something that servers before `since` refuse, in words."""

    since: int
    words: str


def too_new(statement: Statement, version: int) -> Form | None:
    """Return what a server of this version does not understand in a statement, or None (release notes of 15 to 18)."""
    tree = statement.tree
    if version >= NEWEST_VERSION or not (tree.tag in _SMALL or _WORDS.search(statement.sql)):
        return None
    forms = (form for node in tree.walk() if (reader := _READERS.get(node.tag)) for form in reader(node))
    return next((form for form in forms if form.since > version), None)


def _constraint(node: Tree) -> Iterator[Form]:
    kind = node.enum("contype")
    if kind == "CONSTR_GENERATED" and node.text("generated_kind") == "v":
        yield Form(18, "A VIRTUAL generated column")
    if kind == "CONSTR_NOTNULL" and node.each("keys"):
        yield Form(18, "NOT NULL as a constraint of the table")
    declared = kind in {"CONSTR_CHECK", "CONSTR_FOREIGN"} and not node.flag("is_enforced")
    if declared or kind in {"CONSTR_ATTR_ENFORCED", "CONSTR_ATTR_NOT_ENFORCED"}:
        yield Form(18, "NOT ENFORCED")
    if node.flag("without_overlaps"):
        yield Form(18, "WITHOUT OVERLAPS")
    if node.flag("fk_with_period"):
        yield Form(18, "PERIOD in a foreign key")
    if node.flag("nulls_not_distinct"):
        yield Form(15, "NULLS NOT DISTINCT")
    if node.each("fk_del_set_cols"):
        yield Form(15, "ON DELETE SET with a list of columns")


def _index(node: Tree) -> Iterator[Form]:
    if node.flag("nulls_not_distinct"):
        yield Form(15, "NULLS NOT DISTINCT")


def _command(node: Tree) -> Iterator[Form]:
    kind = node.enum("subtype")
    if kind == "AT_SetExpression":
        yield Form(17, "ALTER COLUMN … SET EXPRESSION")
    definition = node.get("def_")
    if kind == "AT_SetStatistics" and definition is None:
        yield Form(17, "SET STATISTICS DEFAULT")
    if kind == "AT_SetStorage" and definition is not None and definition.text("sval").lower() == "default":
        yield Form(16, "SET STORAGE DEFAULT")
    if kind == "AT_SetAccessMethod":
        if node.text("name"):
            yield Form(15, "SET ACCESS METHOD")
        else:
            yield Form(17, "SET ACCESS METHOD DEFAULT")


def _merge(node: Tree) -> Iterator[Form]:
    clauses = node.each("mergeWhenClauses")
    if any(one.enum("matchKind") == "MERGE_WHEN_NOT_MATCHED_BY_SOURCE" for one in clauses):
        yield Form(17, "MERGE … WHEN NOT MATCHED BY SOURCE")
    if node.get("returningClause"):
        yield Form(17, "MERGE … RETURNING")
    yield Form(15, "MERGE")


def _returning(node: Tree) -> Iterator[Form]:
    columns = (one.each("fields") for item in node.each("exprs") for one in item.walk() if one.tag == "ColumnRef")
    if node.each("options") or any(len(one) > 1 and one[0].text("sval") in {"old", "new"} for one in columns):
        yield Form(18, "OLD and NEW in RETURNING")


def _publication(node: Tree) -> Iterator[Form]:
    if node.enum("pubobjtype").startswith("PUBLICATIONOBJ_TABLES_IN"):
        yield Form(15, "FOR TABLES IN SCHEMA")
    table = node.get("pubtable")
    if table and (table.get("whereClause") or table.each("columns")):
        yield Form(15, "a publication of some rows or columns")


def _statistics(node: Tree) -> Iterator[Form]:
    if not node.each("defnames"):
        yield Form(16, "CREATE STATISTICS without a name")


def _altered_constraint(node: Tree) -> Iterator[Form]:
    if node.flag("alterEnforceability") or node.flag("alterInheritability"):
        yield Form(18, "ALTER CONSTRAINT of anything but DEFERRABLE")


def _column(node: Tree) -> Iterator[Form]:
    if node.text("storage_name"):
        yield Form(16, "STORAGE of a new column")


def _sequence(node: Tree) -> Iterator[Form]:
    sequence = node.get("sequence")
    if sequence and sequence.text("relpersistence") == "u":
        yield Form(15, "CREATE UNLOGGED SEQUENCE")


def _role_grant(node: Tree) -> Iterator[Form]:
    if node.option("inherit", among="opt") or node.option("set", among="opt"):
        yield Form(16, "GRANT of a role WITH INHERIT or SET")


def _view(node: Tree) -> Iterator[Form]:
    if node.option("security_invoker"):
        yield Form(15, "a view WITH (security_invoker)")


def _json(since: int, words: str) -> Callable[[Tree], Iterator[Form]]:
    return lambda _: iter((Form(since, words),))


_READERS: dict[str, Callable[[Tree], Iterator[Form]]] = {
    "Constraint": _constraint,
    "IndexStmt": _index,
    "AlterTableCmd": _command,
    "ATAlterConstraint": _altered_constraint,
    "ViewStmt": _view,
    "ColumnDef": _column,
    "CreateSeqStmt": _sequence,
    "GrantRoleStmt": _role_grant,
    "MergeStmt": _merge,
    "ReturningClause": _returning,
    "PublicationObjSpec": _publication,
    "CreateStatsStmt": _statistics,
    "JsonTable": _json(17, "JSON_TABLE"),
    "JsonFuncExpr": _json(17, "JSON_VALUE, JSON_QUERY and JSON_EXISTS"),
    "JsonSerializeExpr": _json(17, "JSON_SERIALIZE"),
    "JsonScalarExpr": _json(17, "JSON_SCALAR"),
    "JsonObjectConstructor": _json(16, "JSON_OBJECT"),
    "JsonArrayConstructor": _json(16, "JSON_ARRAY"),
    "JsonArrayQueryConstructor": _json(16, "JSON_ARRAY"),
    "JsonObjectAgg": _json(16, "JSON_OBJECTAGG"),
    "JsonArrayAgg": _json(16, "JSON_ARRAYAGG"),
    "JsonIsPredicate": _json(16, "IS JSON"),
}

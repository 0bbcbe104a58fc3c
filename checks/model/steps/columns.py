"""From a column as SQL writes it to a column of the model, its sequence, and the constraints written inside it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from checks.model.edit import Refused, collation_of, dotted_name, with_column
from checks.model.naming import is_relation, relation_name
from checks.model.relations import Column, Kind, Name, Relation
from checks.model.schema import Schema
from checks.model.types import data_type, serial_of
from checks.names import qualified, quote
from checks.tree import Tree

_GENERATED = {"s": "stored", "v": "virtual"}
_REAL = frozenset(
    {"CONSTR_CHECK", "CONSTR_FOREIGN", "CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION", "CONSTR_NOTNULL"}
)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A constraint that a statement asks for. `column` is the one it is written inside, or "". `kind` is the parser's.

    `name` is the one it is given, or "". `timing` is as in `Constraint`.
    """

    node: Tree
    kind: str
    column: str = ""
    is_enforced: bool = True
    name: str = ""
    timing: str = ""


@dataclass(frozen=True, slots=True)
class Read:
    """A column as read from a statement. `sequence` says that it brings one, named by `sequence_name` or chosen."""

    column: Column
    wanted: tuple[Wanted, ...] = ()
    sequence: bool = False
    sequence_name: str = ""
    forbids_null: bool = False


def read_column(node: Tree, schema: Schema, base: Column | None = None) -> Read:
    """Return what a ColumnDef asks for. `base` is the column it adds options to, of a typed table or a partition."""
    kind, serial = node.get("typeName"), serial_of(node.get("typeName"))
    column = base or Column(node.text("colname"), data_type(kind, schema))
    if column.type.name and not column.type.schema and not serial and schema.is_certain:
        raise Refused(f"no type {column.type.name}")
    if serial:
        column = replace(column, type=replace(column.type, name=serial, schema="pg_catalog", modifiers=()))
    if collation := node.get("collClause"):
        column = replace(column, collation=collation_of(collation))
    found = Read(column, sequence=bool(serial), forbids_null=bool(serial))
    for part in node.each("constraints"):
        found = _with_part(found, part)
    return found


def _with_part(found: Read, part: Tree) -> Read:
    kind, expression = part.enum("contype"), part.get("raw_expr")
    column = found.column
    match kind:
        case "CONSTR_DEFAULT":
            return replace(found, column=replace(column, default=default_of(expression)))
        case "CONSTR_GENERATED":
            generated = _GENERATED.get(part.text("generated_kind"), "stored")
            default = expression.sql() if expression else ""
            return replace(found, column=replace(column, generated=generated, default=default))
        case "CONSTR_IDENTITY":
            name = identity_sequence(part)
            column = replace(column, is_identity=True)
            return replace(found, column=column, sequence=True, sequence_name=name, forbids_null=True)
        case _ if kind.startswith("CONSTR_ATTR_") and found.wanted:
            return replace(found, wanted=(*found.wanted[:-1], _with_attribute(found.wanted[-1], kind)))
        case _ if kind in _REAL:
            return replace(found, wanted=(*found.wanted, wanted(part, column.name)))
        case _:
            return found


def _with_attribute(last: Wanted, kind: str) -> Wanted:
    """Return a constraint with an attribute that is written behind it; these come in any order."""
    match kind:
        case "CONSTR_ATTR_NOT_ENFORCED":
            return replace(last, is_enforced=False)
        case "CONSTR_ATTR_DEFERRED":
            return replace(last, timing="DEFERRABLE INITIALLY DEFERRED")
        case "CONSTR_ATTR_DEFERRABLE":
            return replace(last, timing=last.timing or "DEFERRABLE")
        case _:
            return last


def wanted(node: Tree, column: str = "") -> Wanted:
    """Return the constraint that a Constraint node asks for, written inside a column or on its own."""
    return Wanted(node, node.enum("contype"), column, is_enforced_of(node), node.text("conname"), timing_of(node))


def is_enforced_of(node: Tree) -> bool:
    """False for CHECK and FOREIGN KEY constraints that are NOT ENFORCED; others cannot be."""
    return node.flag("is_enforced") or node.enum("contype") not in {"CONSTR_CHECK", "CONSTR_FOREIGN"}


def timing_of(node: Tree) -> str:
    """Return when a constraint is looked at, as SQL: "" for at once, always."""
    if node.flag("initdeferred"):
        return "DEFERRABLE INITIALLY DEFERRED"
    return "DEFERRABLE" if node.flag("deferrable") else ""


def default_of(expression: Tree | None) -> str | None:
    """Return a default as SQL; none where it is NULL, which the catalogue does not keep."""
    if expression is None or (expression.tag == "A_Const" and expression.flag("isnull")):
        return None
    return expression.sql()


def identity_sequence(part: Tree) -> str:
    """Return the name that an identity column gives its sequence, as SQL, or ""."""
    option = part.option("sequence_name")
    names = option.get("arg") if option else None
    return dotted_name(names.items()) if names else ""


def make_sequence(schema: Schema, table: Name, found: Read, *, is_logged: bool = True) -> tuple[Schema, Read]:
    """Return the schema with the sequence that a column brings, and the column with its default."""
    if not found.sequence:
        return schema, found
    schema, name = add_sequence(schema, table, found.column.name, found.sequence_name, is_logged=is_logged)
    column = found.column
    if not column.is_identity:
        written = qualified(name.schema, name.name).replace("'", "''")
        column = replace(column, default=f"nextval('{written}'::regclass)")
    return schema, replace(found, column=column)


def add_sequence(
    schema: Schema, table: Name, column: str, wanted: str = "", *, is_logged: bool = True
) -> tuple[Schema, Name]:
    """Return the schema with a sequence of a column's own, and its name."""
    name = Name(table.schema, relation_name(schema, table.schema, table.name, column, "seq"))
    if wanted:
        name = schema.place(wanted) if "." in wanted else schema.place(f"{quote(table.schema)}.{wanted}")
        if is_relation(schema, name):
            raise Refused(wanted)
    made = Relation(name, Kind.SEQUENCE, owner=(table, column), made_in=schema.script, is_logged=is_logged)
    return schema.having(made), name


def add_column(schema: Schema, table: Name, column: Column) -> Schema:
    """Return the schema with one column more. Raises Refused where the table has one of that name."""
    relation = schema.relations[table]
    if column.name in relation.columns:
        raise Refused(column.name)
    return schema.having(with_column(relation, column))

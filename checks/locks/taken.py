"""Names that are taken: what a statement makes or renames, and what is there already under that name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from checks.locks import renamed
from checks.locks.gathering import SYSTEM_SCHEMAS, Gathering
from checks.locks.names import SYSTEM_COLUMNS, holder, refuse_relation, refuse_type
from checks.model import Name
from checks.model.edit import Refused, creation_schema, target
from checks.model.schema import TEMPORARY
from checks.model.steps.indexes import leftover_of
from checks.model.steps.programs import argument_types
from checks.names import quote
from checks.tree import Tree


def refuse_taken(g: Gathering, tree: Tree) -> None:
    """Say that the server refuses a statement, where what it makes is there already."""
    if (look := _LOOKS.get(tree.tag)) is not None:
        look(g, tree)


def name_of_new(g: Gathering, relation: Tree | None) -> Name | None:
    """Return the name that a new relation gets, from its RangeVar; None where there is no schema to make it in."""
    if relation is None:
        return None
    try:
        name = target(g.schema, relation)
    except Refused:
        g.fail_if_sure(_no_schema(g))
        return None
    _require_schema(g, name.schema)
    return name


def _name_of_new_type(g: Gathering, parts: Iterable[Tree]) -> Name | None:
    """Return the full name of a new type or function, from the parts of its name."""
    names = [one.text("sval") for one in parts]
    try:
        place = names[-2] if len(names) > 1 else creation_schema(g.schema)
    except Refused:
        g.fail_if_sure(_no_schema(g))
        return None
    _require_schema(g, place)
    return Name(place, names[-1]) if names else None


def _no_schema(g: Gathering) -> str:
    return f"none of the search path is there to make it in: {', '.join(map(quote, g.schema.path)) or 'it is empty'}"


def _require_schema(g: Gathering, place: str) -> None:
    if place not in g.schema.schemas and place != TEMPORARY and place not in SYSTEM_SCHEMAS:
        g.fail_if_complete(f"there is no schema {quote(place)}")


def _table(g: Gathering, tree: Tree) -> None:
    tree = tree.get("base") or tree
    name = name_of_new(g, tree.get("relation"))
    if name is None:
        return
    skips = tree.flag("if_not_exists")
    refuse_relation(g, name, skips=skips)
    if skips and holder(g, name) is not None:
        return
    seen, constraints = set[str](), set[str]()
    for one in tree.each("tableElts"):
        if one.tag == "ColumnDef":
            refuse_column(g, one.text("colname"), seen)
            seen.add(one.text("colname"))
        for part in (one, *one.each("constraints")):
            _constraint(g, part, name, constraints, its_own=True)


def refuse_column(g: Gathering, column: str, beside: Iterable[str]) -> None:
    """Say that a column cannot get a name: one is called so in the same statement, or in every table."""
    if column in SYSTEM_COLUMNS:
        g.fail_anywhere(f"every table has a system column {quote(column)}")
    elif column in beside:
        g.fail_anywhere(f"the statement makes the column {quote(column)} twice")


def _constraint(g: Gathering, part: Tree, table: Name, seen: set[str], *, its_own: bool = False) -> None:
    """A constraint with a name: one of the statement already, or an index whose name is taken."""
    name, kind = part.text("conname"), part.enum("contype")
    if part.tag != "Constraint" or not name:
        return
    if name in seen:
        g.fail_anywhere(f"the statement makes the constraint {quote(name)} twice")
    seen.add(name)
    has_index = kind in {"CONSTR_PRIMARY", "CONSTR_UNIQUE", "CONSTR_EXCLUSION"} and part.text("indexname") != name
    if has_index and its_own and name == table.name:
        g.fail(f"the index of {quote(name)} would have the name of the table")
    elif has_index:
        refuse_relation(g, Name(table.schema, name), has_type=False)


def _alter_table(g: Gathering, tree: Tree) -> None:
    if tree.enum("objtype") not in {"OBJECT_TABLE", "OBJECT_FOREIGN_TABLE"}:
        return
    table, commands = g.schema.place(tree.relation()), tree.each("cmds")
    # What goes, goes first, and with it the name.
    gone = {one.text("name") for one in commands if one.enum("subtype") == "AT_DropConstraint"}
    added, constraints = set[str](), set[str]()
    for one in commands:
        definition = one.get("def_")
        if definition is None or one.enum("subtype") not in {"AT_AddColumn", "AT_AddConstraint"}:
            continue
        if one.enum("subtype") == "AT_AddColumn" and not one.flag("missing_ok"):
            refuse_column(g, definition.text("colname"), added)
            added.add(definition.text("colname"))
        for part in (definition, *definition.each("constraints")):
            if part.text("conname") not in gone:
                _constraint(g, part, table, constraints)


def _table_as(g: Gathering, tree: Tree) -> None:
    into = tree.get("into") or tree.get("intoClause")
    name = name_of_new(g, into.get("rel")) if into else None
    if name is not None:
        refuse_relation(g, name, skips=tree.flag("if_not_exists"))


def _view(g: Gathering, tree: Tree) -> None:
    name = name_of_new(g, tree.get("view"))
    if name is None:
        return
    found = holder(g, name)
    if not tree.flag("replace") or found is None:
        refuse_relation(g, name)
    elif found.name != name:
        g.fail_if_there(f"{name} is an index", by=found)


def _sequence(g: Gathering, tree: Tree) -> None:
    if (name := name_of_new(g, tree.get("sequence"))) is not None:
        refuse_relation(g, name, skips=tree.flag("if_not_exists"))


def _composite(g: Gathering, tree: Tree) -> None:
    if (name := name_of_new(g, tree.get("typevar"))) is not None:
        refuse_type(g, name)
        refuse_relation(g, name, has_type=False)


def _index(g: Gathering, tree: Tree) -> None:
    table = g.schema.find(tree.relation())
    if table is not None and (name := tree.text("idxname")) and leftover_of(table, tree) is None:
        refuse_relation(g, Name(table.name.schema, name), skips=tree.flag("if_not_exists"), has_type=False)


def _type(g: Gathering, tree: Tree) -> None:
    if tree.tag == "DefineStmt" and tree.enum("kind") != "OBJECT_TYPE":
        return
    parts = tree.each("typeName") or tree.each("domainname") or tree.each("defnames")
    if (name := _name_of_new_type(g, parts)) is not None:
        refuse_type(g, name)
        if tree.tag == "DefineStmt" and not tree.each("definition") and name in g.schema.types:
            g.fail_if_there(f"there is a type {name} already")


def _schema(g: Gathering, tree: Tree) -> None:
    name = tree.text("schemaname")
    if name in g.schema.schemas and not tree.flag("if_not_exists"):
        if name == "public":  # a history can begin with it, on a database whose own was dropped
            g.may_fail("fails where the schema public is there, as in every new database")
        else:
            g.fail_if_there(f"there is a schema {quote(name)} already")


def _function(g: Gathering, tree: Tree) -> None:
    name = _name_of_new_type(g, tree.each("funcname"))
    if name is None or tree.flag("replace"):
        return
    types = argument_types(tree.each("parameters"), g.schema)
    if any(one.types == types and one.arguments >= 0 for one in g.schema.functions.get(name, ())):
        g.fail_if_there(f"there is a function {name} with these arguments already")


def _attached(g: Gathering, tree: Tree) -> None:
    """CREATE TRIGGER, POLICY and RULE."""
    relation = g.schema.find(tree.relation("table" if tree.tag == "CreatePolicyStmt" else "relation"))
    if relation is None or tree.flag("replace"):
        return
    for kind, field, known in (
        ("trigger", "trigname", relation.triggers),
        ("policy", "policy_name", relation.policies),
        ("rule", "rulename", relation.rules),
    ):
        if (name := tree.text(field)) and name in known:
            g.fail_if_there(f"{relation.name} has a {kind} {quote(name)} already", by=relation)


def _extension(g: Gathering, tree: Tree) -> None:
    name = tree.text("extname")
    if name in g.schema.extensions and not tree.flag("if_not_exists"):
        g.fail_if_there(f"there is an extension {quote(name)} already")


_LOOKS: Mapping[str, Callable[[Gathering, Tree], None]] = {
    "CreateStmt": _table,
    "CreateForeignTableStmt": _table,
    "CreateTableAsStmt": _table_as,
    "SelectStmt": _table_as,
    "ViewStmt": _view,
    "CreateSeqStmt": _sequence,
    "CompositeTypeStmt": _composite,
    "IndexStmt": _index,
    "CreateEnumStmt": _type,
    "CreateRangeStmt": _type,
    "CreateDomainStmt": _type,
    "DefineStmt": _type,
    "CreateSchemaStmt": _schema,
    "CreateFunctionStmt": _function,
    "CreateTrigStmt": _attached,
    "CreatePolicyStmt": _attached,
    "RuleStmt": _attached,
    "CreateExtensionStmt": _extension,
    "AlterEnumStmt": renamed.alter_enum,
    "RenameStmt": renamed.rename,
    "AlterTableStmt": _alter_table,
}

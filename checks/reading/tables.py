"""What each command of an ALTER TABLE does, as changes."""

from __future__ import annotations

from collections.abc import Iterator

from checks.changes import Change, Verb
from checks.names import quote
from checks.reading.functions import calls, is_stable
from checks.tree import Tree

# Commands that touch the catalogue only and break nobody.
_FREE = frozenset({"AT_SetStatistics", "AT_SetOptions", "AT_ResetOptions", "AT_SetStorage", "AT_SetCompression",
                   "AT_SetRelOptions", "AT_ResetRelOptions", "AT_ClusterOn", "AT_DropCluster"})  # fmt: skip
_REWRITES = frozenset({"AT_SetLogged", "AT_SetUnLogged", "AT_SetTableSpace", "AT_SetAccessMethod", "AT_SetExpression"})
_RESTRUCTURES = frozenset({"AT_DisableTrigAll", "AT_DisableTrigUser", "AT_EnableTrigAll", "AT_EnableTrigUser",
                           "AT_DisableTrig", "AT_AddInherit", "AT_DropInherit", "AT_AddOf", "AT_DropOf"})  # fmt: skip
TYPE_UNTOLD = "has a type that is not built in; a domain with a constraint rewrites the table"
CHANGES_ATTRIBUTE = "ALTER TYPE that drops or changes an attribute"
_SERIALS = frozenset({"serial", "bigserial", "smallserial", "serial2", "serial4", "serial8"})
_CONSTRAINTS = {
    "CONSTR_CHECK": "CHECK",
    "CONSTR_FOREIGN": "FOREIGN KEY",
    "CONSTR_UNIQUE": "UNIQUE",
    "CONSTR_PRIMARY": "PRIMARY KEY",
    "CONSTR_EXCLUSION": "EXCLUDE",
    "CONSTR_NOTNULL": "NOT NULL",
}


def alter_table(tree: Tree) -> tuple[Change, ...]:
    """Return one or more changes for every command, in the order written."""
    table, object_type = tree.relation(), tree.enum("objtype").removeprefix("OBJECT_")
    if object_type not in {"TABLE", "FOREIGN_TABLE"}:
        words = f"ALTER {object_type.replace('_', ' ')}".replace("MATVIEW", "MATERIALIZED VIEW")
        if any(command.enum("subtype") in {"AT_DropColumn", "AT_AlterColumnType"} for command in tree.each("cmds")):
            words = CHANGES_ATTRIBUTE
        # Moving an index or a materialized view to another tablespace copies it under an exclusive lock.
        moves = any(command.enum("subtype") in _REWRITES for command in tree.each("cmds"))
        return (Change(Verb.REWRITE if moves else Verb.ALTER_OBJECT, name=table, detail=words),)
    return tuple(change for command in tree.each("cmds") for change in _command(command, table))


def _command(command: Tree, table: str) -> Iterator[Change]:
    subtype = command.enum("subtype")
    name = quote(command.text("name")) if command.text("name") else ""
    definition = command.get("def_")
    cascades = command.enum("behavior") == "DROP_CASCADE"
    if subtype == "AT_AddColumn" and definition:
        yield from column_changes(definition, table)
    elif subtype == "AT_AddConstraint" and definition:
        yield constraint_change(definition, table)
    elif subtype in {"AT_DropColumn", "AT_DropConstraint"} and cascades:
        yield Change(Verb.DROP_CASCADE, table=table, name=name, detail=_words(subtype))
        # The column is dropped all the same: the rule about it must see it.
        if subtype == "AT_DropColumn":
            yield Change(Verb.DROP_COLUMN, table=table, name=name)
    elif subtype == "AT_AlterColumnType" and definition:
        kind = definition.get("typeName")
        using, collation = definition.get("raw_default"), definition.get("collClause")
        words = " ".join(part.sql() for part in (kind, collation) if part)
        yield Change(Verb.COLUMN_TYPE, table=table, name=name, detail=words,
                     definition=using.sql() if using else "", offset=definition.offset)  # fmt: skip
    else:
        yield Change(_verb(subtype), table=table, name=name, detail=_words(subtype))
        yield from _second_table(subtype, definition, table)


def _second_table(subtype: str, definition: Tree | None, table: str) -> Iterator[Change]:
    """Yield what happens to the other table of ATTACH, DETACH and INHERIT: it is locked, and other rows are seen."""
    if definition is not None and definition.tag == "PartitionCmd":
        yield Change(Verb.ALTER_OBJECT, table=definition.relation("name"), detail=f"{_words(subtype)} of {table}")
    elif definition is not None and subtype in {"AT_AddInherit", "AT_DropInherit"}:
        yield Change(Verb.RESTRUCTURE, table=definition.range_name(), detail=f"{_words(subtype)} of {table}")


def _verb(subtype: str) -> Verb:
    named = {
        "AT_DropColumn": Verb.DROP_COLUMN,
        "AT_DropConstraint": Verb.DROP_CONSTRAINT,
        "AT_SetNotNull": Verb.SET_NOT_NULL,
        "AT_DropNotNull": Verb.DROP_NOT_NULL,
        "AT_ColumnDefault": Verb.COLUMN_DEFAULT,
        "AT_ValidateConstraint": Verb.VALIDATE_CONSTRAINT,
    }
    if subtype in named:
        return named[subtype]
    if subtype in _FREE:
        return Verb.TABLE_OPTION
    if subtype in _REWRITES:
        return Verb.REWRITE
    return Verb.RESTRUCTURE if subtype in _RESTRUCTURES else Verb.ALTER_OBJECT


def _words(subtype: str) -> str:
    """Return `AT_DropColumn` as `drop column`."""
    bare = subtype.removeprefix("AT_")
    return "".join(f" {letter.lower()}" if letter.isupper() else letter for letter in bare).strip()


def column_changes(column: Tree, table: str) -> Iterator[Change]:
    """Yield the changes an ADD COLUMN makes: the column, and each constraint written inside it."""
    name = quote(column.text("colname"))
    reasons: list[str] = []
    kind = column.get("typeName")
    type_name = kind.each("names")[-1].text("sval") if kind and kind.each("names") else ""
    if type_name in _SERIALS:
        reasons.append(f"is {type_name}, which rewrites the table")
    inline: list[Change] = []
    for part in column.each("constraints"):
        contype = part.enum("contype")
        if contype == "CONSTR_NOTNULL":
            reasons.append("is NOT NULL")
        elif contype == "CONSTR_DEFAULT":
            default = part.get("raw_expr")
            if default and not all(is_stable(call) for call in calls(default)):
                reasons.append("has a default that is computed for every row, which rewrites the table")
        elif contype in {"CONSTR_IDENTITY", "CONSTR_GENERATED"}:
            reasons.append("is an identity or generated column, which rewrites the table")
        elif contype in _CONSTRAINTS:
            inline.append(constraint_change(part, table, inline_column=name))
    # A type that is not built in may be a domain with a constraint, which rewrites the table.
    if kind and not _is_built_in(kind) and not reasons:
        reasons.append(TYPE_UNTOLD)
    verb = Verb.ADD_COLUMN_HARD if reasons else Verb.ADD_COLUMN
    yield Change(verb, table=table, name=name, detail=" and ".join(reasons), offset=column.offset)
    yield from inline


def _is_built_in(kind: Tree) -> bool:
    names = [part.text("sval") for part in kind.each("names")]
    return names[0] == "pg_catalog" or (len(names) == 1 and names[0] in _BUILT_IN)


_BUILT_IN = frozenset(
    """
    text timestamptz timetz timestamp time interval bool int2 int4 int8 float4 float8 numeric varchar
    bpchar bit varbit uuid json jsonb bytea date inet cidr macaddr money xml name oid point line box
    path polygon circle tsvector tsquery int4range int8range numrange tsrange tstzrange daterange
    """.split()  # noqa: SIM905 - words, not a list of strings
)


def constraint_change(part: Tree, table: str, *, inline_column: str = "") -> Change:
    """Return the change one constraint makes. `columns` are its own; `definition` is the whole constraint as SQL."""
    contype = part.enum("contype")
    keys = part.each("fk_attrs") or part.each("keys")
    columns = tuple(quote(key.text("sval")) for key in keys) or ((inline_column,) if inline_column else ())
    waived = part.flag("skip_validation") or (
        contype in {"CONSTR_CHECK", "CONSTR_FOREIGN"} and not part.flag("is_enforced")
    )
    # An index built before, CONCURRENTLY, makes UNIQUE a matter of the catalogue. PRIMARY KEY also sets NOT NULL.
    index = part.text("indexname")
    ready = bool(index) and contype != "CONSTR_PRIMARY"
    expression = part.get("raw_expr")
    return Change(
        Verb.ADD_CONSTRAINT_NOT_VALID if waived or ready else Verb.ADD_CONSTRAINT,
        table=table,
        name=quote(part.text("conname")) if part.text("conname") else "",
        constraint=_CONSTRAINTS.get(contype, "constraint"),
        detail=expression.sql() if expression else "",
        columns=columns,
        definition=part.sql(),
        inline=bool(inline_column),
        from_index=bool(index),
        offset=part.offset,
    )

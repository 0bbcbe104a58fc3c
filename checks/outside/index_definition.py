"""What an index is, apart from its name: read from CREATE INDEX, whoever wrote it, and compared part by part."""

from __future__ import annotations

from dataclasses import dataclass

from checks.errors import Unparsable
from checks.names import qualified, quote
from checks.statements import parse
from checks.tree import Tree

DEFAULT_METHOD = "btree"


@dataclass(frozen=True, slots=True)
class IndexDefinition:
    """An index as CREATE INDEX says it, with what PostgreSQL takes where nothing is said.

    `keys` and `included` are the columns or expressions as SQL, with collation, operator class and order where these
    are not the default; "" is one that cannot be written down, and equals nothing. `options` are storage parameters.
    `tablespace` is None where it is not said: then it may be any.
    """

    method: str
    is_unique: bool
    nulls_not_distinct: bool
    keys: tuple[str, ...]
    included: tuple[str, ...]
    options: tuple[tuple[str, str], ...]
    predicate: str | None
    tablespace: str | None

    def as_sql(self, table: str) -> str:
        """Return the statement that makes such an index on a table, given as SQL; storage and place are left out."""
        unique = "UNIQUE " if self.is_unique else ""
        included = f" INCLUDE ({', '.join(self.included)})" if self.included else ""
        nulls = " NULLS NOT DISTINCT" if self.nulls_not_distinct else ""
        where = f" WHERE {self.predicate}" if self.predicate else ""
        what = f"{quote(self.method)} ({', '.join(self.keys)})"
        return f"CREATE {unique}INDEX ON {table} USING {what}{included}{nulls}{where}"

    @property
    def can_be_written(self) -> bool:
        """True when `as_sql` says all that the author said."""
        return all((*self.keys, *self.included)) and self.predicate != ""


def definition_of(tree: Tree) -> IndexDefinition:
    """Return what an IndexStmt defines."""
    where = tree.get("whereClause")
    return IndexDefinition(
        method=tree.text("accessMethod") or DEFAULT_METHOD,
        is_unique=tree.flag("unique"),
        nulls_not_distinct=tree.flag("nulls_not_distinct"),
        keys=tuple(map(_element, tree.each("indexParams"))),
        included=tuple(map(_element, tree.each("indexIncludingParams"))),
        options=tuple(sorted((one.text("defname").lower(), _value(one)) for one in tree.each("options"))),
        predicate=where.sql() if where else None,
        tablespace=tree.text("tableSpace") or None,
    )


def definition_in(text: str) -> IndexDefinition | None:
    """Return what the text of pg_get_indexdef defines, None where it is not one CREATE INDEX that can be read."""
    try:
        statements = parse(text).statements
    except Unparsable:
        return None
    if len(statements) != 1 or statements[0].tree.tag != "IndexStmt":
        return None
    return definition_of(statements[0].tree)


def differences(wanted: IndexDefinition, found: IndexDefinition) -> tuple[str, ...]:
    """Return in words where an index that was found is another than the wanted one; () when it is the same."""
    parts = (
        ("access method", wanted.method, found.method),
        ("unique", _yes(wanted.is_unique), _yes(found.is_unique)),
        ("nulls not distinct", _yes(wanted.nulls_not_distinct), _yes(found.nulls_not_distinct)),
        ("columns", _listed(wanted.keys), _listed(found.keys)),
        ("included columns", _listed(wanted.included), _listed(found.included)),
        ("storage", _options(wanted.options), _options(found.options)),
        ("predicate", wanted.predicate or "none", found.predicate or "none"),
    )
    told = [f"{name}: {there} instead of {asked}" for name, asked, there in parts if asked != there]
    if wanted.tablespace is not None and wanted.tablespace != found.tablespace:
        told.append(f"tablespace: {found.tablespace or 'the default'} instead of {wanted.tablespace}")
    if not (wanted.can_be_written and found.can_be_written) and not told:
        told.append("an expression cannot be compared")
    return tuple(told)


def _element(element: Tree) -> str:
    expression = element.get("expr")
    what = (f"({expression.sql()})" if expression.sql() else "") if expression else quote(element.text("name"))
    if not what:
        return ""
    collation = f" COLLATE {element.dotted('collation')}" if element.each("collation") else ""
    return f"{what}{collation}{_operator_class(element)}{_order(element)}"


def _operator_class(element: Tree) -> str:
    if not element.each("opclass"):
        return ""
    given = [f"{quote(one.text('defname'))} = {_literal(_value(one))}" for one in element.each("opclassopts")]
    return f" {element.dotted('opclass')}" + (f" ({', '.join(given)})" if given else "")


def _order(element: Tree) -> str:
    """Return the order where it is not what is taken anyway: ascending, and NULLs as if they were greatest."""
    is_descending = element.enum("ordering") == "SORTBY_DESC"
    nulls = element.enum("nulls_ordering")
    is_first = nulls == "SORTBY_NULLS_FIRST" if nulls != "SORTBY_NULLS_DEFAULT" else is_descending
    order = " DESC" if is_descending else ""
    if is_first == is_descending:
        return order
    return order + (" NULLS FIRST" if is_first else " NULLS LAST")


def _value(option: Tree) -> str:
    """Return the value of an option as the server keeps it: a text. Given without one it is on."""
    value = option.get("arg")
    if value is None:
        return "true"
    match value.tag:
        case "Integer":
            return str(value.number("ival"))
        case "Float":
            return value.text("fval")
        case "String":
            return value.text("sval")
        case "TypeName":
            return qualified(*(part.text("sval") for part in value.each("names"))).lower()
    return value.sql()


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _yes(flag: bool) -> str:  # noqa: FBT001 # a value to be told
    return "yes" if flag else "no"


def _listed(elements: tuple[str, ...]) -> str:
    return f"({', '.join(elements)})" if elements else "none"


def _options(options: tuple[tuple[str, str], ...]) -> str:
    return ", ".join(f"{name}={value}" for name, value in options) or "none"

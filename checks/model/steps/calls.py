"""Functions that a query calls: what they do cannot be followed, unless they cannot change a schema."""

from __future__ import annotations

from checks.model.relations import Name
from checks.model.schema import Function, Schema
from checks.model.steps.paths import set_config
from checks.reading.functions import is_harmless
from checks.tree import Tree

# Built in, but they run the SQL that they are given.
_RUNNERS = frozenset(
    """
    query_to_xml query_to_xmlschema query_to_xml_and_xmlschema ts_stat ts_rewrite pg_import_system_collations
    """.split()  # noqa: SIM905 - words, not a list of strings
)


def follow_calls(schema: Schema, tree: Tree) -> Schema:
    """Return the schema after the functions that a statement calls: a doubt for each that could change it."""
    told: set[str] = set()
    for node in tree.walk():
        if node.tag != "FuncCall":
            continue
        name = tuple(part.text("sval") for part in node.each("funcname"))
        if name[-1] == "set_config":
            schema = set_config(schema, node)
        elif _may_change(schema, name) and (written := ".".join(name)) not in told:
            told.add(written)
            schema = schema.doubting(f"a call of {written}()")
    return schema


def _may_change(schema: Schema, name: tuple[str, ...]) -> bool:
    """True for a function that may run statements of its own. Only a volatile one is allowed to."""
    own = _own(schema, name)
    if own:
        return any(one.volatility == "volatile" and one.language != "c" for one in own)
    if name[-1] in _RUNNERS:
        return True
    # Where everything that was made is known, what is not known was there from the start.
    return not (schema.is_certain or is_harmless(name))


def _own(schema: Schema, name: tuple[str, ...]) -> tuple[Function, ...]:
    places = name[-2:-1] or schema.path
    return next((found for one in places if (found := schema.functions.get(Name(one, name[-1])))), ())

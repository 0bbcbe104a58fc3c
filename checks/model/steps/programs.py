"""Functions and procedures."""

from __future__ import annotations

from dataclasses import replace

from checks.errors import Unparsable
from checks.model.edit import Refused, creation_schema, without
from checks.model.relations import DataType, Name
from checks.model.schema import Function, Schema
from checks.model.steps.triggers import lacking_triggers
from checks.model.types import data_type
from checks.statements import parse
from checks.tree import Tree

_GIVEN = frozenset({"FUNC_PARAM_DEFAULT", "FUNC_PARAM_IN", "FUNC_PARAM_INOUT", "FUNC_PARAM_VARIADIC"})
_RETURNED = frozenset({"FUNC_PARAM_OUT", "FUNC_PARAM_INOUT"})


def create_function(schema: Schema, tree: Tree) -> Schema:
    """CREATE [OR REPLACE] FUNCTION or PROCEDURE."""
    names = [part.text("sval") for part in tree.each("funcname")]
    name = Name(names[-2] if len(names) > 1 else creation_schema(schema), names[-1])
    types = argument_types(tree.each("parameters"), schema)
    made = Function(
        name, len(types), _volatility(tree), _language(tree), is_inlined=is_inlined(tree), types=types,
        expression=_expression(tree) if is_inlined(tree) else "", is_trigger=_is_trigger(tree),
        returns=bare(data_type(tree.get("returnType"), schema)) if tree.get("returnType") else None,
    )  # fmt: skip
    others = tuple(one for one in schema.functions.get(name, ()) if one.types != types)
    if len(others) < len(schema.functions.get(name, ())) and not tree.flag("replace"):
        raise Refused(str(name))
    return replace(schema, functions={**schema.functions, name: (*others, made)})


def _is_trigger(tree: Tree) -> bool:
    result = tree.get("returnType")
    names = result.each("names") if result else ()
    return bool(names) and names[-1].text("sval") in {"trigger", "event_trigger"}


def argument_types(parameters: tuple[Tree, ...], schema: Schema) -> tuple[DataType, ...]:
    """Return the types of the arguments that a call gives, from the parameters of a definition."""
    given = (one for one in parameters if one.enum("mode") in _GIVEN)
    return tuple(bare(data_type(one.get("argType"), schema)) for one in given)


def bare(kind: DataType) -> DataType:
    """Return a type without modifiers, which functions do not see."""
    return replace(kind, modifiers=(), fields="")


def _option(tree: Tree, name: str) -> str:
    option = tree.option(name) or tree.option(name, among="actions")
    value = option.get("arg") if option else None
    return value.text("sval").lower() if value else ""


def _volatility(tree: Tree) -> str:
    return _option(tree, "volatility") or "volatile"


def _language(tree: Tree) -> str:
    return _option(tree, "language") or "sql"


def is_inlined(tree: Tree) -> bool:
    """True for one SQL expression without anything that keeps it apart (inline_function in clauses.c)."""
    result = tree.get("returnType")
    if (
        tree.flag("is_procedure") or _language(tree) != "sql" or (result is not None and result.flag("setof"))
        or (result is None and len(_results(tree)) != 1)
        or tree.switched_on("security") or tree.option("set") is not None or tree.switched_on("strict")
    ):  # fmt: skip
        return False
    body = tree.get("sql_body") or _parsed_body(tree)
    if body is None:
        return False
    if body.tag == "ReturnStmt":
        return True
    clauses = ("fromClause", "groupClause", "sortClause", "valuesLists", "windowClause", "distinctClause")
    simple = body.tag == "SelectStmt" and len(body.each("targetList")) == 1
    parts = ("whereClause", "havingClause", "withClause", "limitCount", "limitOffset", "intoClause", "larg")
    return simple and not any(map(body.each, clauses)) and not any(map(body.get, parts))


def _expression(tree: Tree) -> str:
    """Return the one expression of a function that is inlined, as SQL."""
    body = tree.get("sql_body") or _parsed_body(tree)
    value = body.get("returnval") if body and body.tag == "ReturnStmt" else None
    targets = body.each("targetList") if body else ()
    value = value or (targets[0].get("val") if targets else None)
    return value.sql() if value else ""


def _results(tree: Tree) -> list[Tree]:
    return [one for one in tree.each("parameters") if one.enum("mode") in _RETURNED]


def _parsed_body(tree: Tree) -> Tree | None:
    """Return the single statement of a body in quotes."""
    option = tree.option("as")
    texts = option.get("arg") if option else None
    parts = [one.text("sval") for one in texts.items()] if texts else []
    try:
        statements = parse(parts[0]).statements if len(parts) == 1 else ()
    except Unparsable:
        return None
    return statements[0].tree if len(statements) == 1 else None


def alter_function(schema: Schema, tree: Tree) -> Schema:
    """ALTER FUNCTION: how volatile it is, and what keeps it from being inlined."""
    item = tree.get("func")
    if item is None:
        return schema
    name, found = named_functions(schema, item)
    volatility = _option(tree, "volatility")
    changed = [
        replace(one, volatility=volatility or one.volatility,
                is_inlined=one.is_inlined and not tree.each("actions")[1 if volatility else 0 :])
        if one in found else one
        for one in schema.functions[name]
    ]  # fmt: skip
    return replace(schema, functions={**schema.functions, name: tuple(changed)})


def named_functions(schema: Schema, item: Tree) -> tuple[Name, tuple[Function, ...]]:
    """Return the functions that `f(int)` or `f` means. Raises Refused where there is none, or more than one."""
    names = [part.text("sval") for part in item.each("objname")]
    places = [names[-2]] if len(names) > 1 else list(schema.path)
    name = next((one for place in places if (one := Name(place, names[-1])) in schema.functions), None)
    if name is None:
        raise Refused(names[-1])
    overloads = schema.functions[name]
    if not item.flag("args_unspecified"):
        given = item.each("objfuncargs")
        types = argument_types(given, schema) if given else tuple(
            bare(data_type(one, schema)) for one in item.each("objargs")
        )  # fmt: skip
        overloads = tuple(one for one in overloads if one.types == types)
    if len(overloads) != 1:
        raise Refused(str(name))
    return name, overloads


def drop_functions(schema: Schema, objects: tuple[Tree, ...], *, if_exists: bool, cascade: bool) -> Schema:
    """DROP FUNCTION and its kind; by CASCADE with the triggers that call it."""
    for item in objects:
        try:
            name, found = named_functions(schema, item)
        except Refused:
            if if_exists or not schema.is_certain:
                continue
            raise
        left = tuple(one for one in schema.functions[name] if one not in found)
        if left:
            schema = replace(schema, functions={**schema.functions, name: left})
        else:
            schema = _without_triggers(lacking_function(schema, name), name, cascade=cascade)
    return schema


def lacking_function(schema: Schema, name: Name) -> Schema:
    """Return the schema without a function, in all its forms."""
    return replace(schema, functions=without(schema.functions, name))


def _without_triggers(schema: Schema, function: Name, *, cascade: bool) -> Schema:
    for relation in tuple(schema.relations.values()):
        left = {key: one for key, one in relation.triggers.items() if one != function}
        if len(left) < len(relation.triggers):
            if not cascade:
                raise Refused(f"a trigger of {relation.name} calls it")
            schema = schema.having(lacking_triggers(relation, relation.triggers.keys() - left.keys()))
    return schema

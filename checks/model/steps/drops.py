"""DROP of anything, with what goes along: by CASCADE, or because it belongs to what is dropped."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from checks.model.edit import Refused, current, dotted_name, require_index, without
from checks.model.relations import Constraint, Kind, Name, Relation
from checks.model.schema import Schema
from checks.model.steps import alter_columns
from checks.model.steps.attached import drop_attached
from checks.model.steps.constraints import drop_constraint
from checks.model.steps.defaults import without_defaults_of, without_defaults_over
from checks.model.steps.extensions import drop_extension
from checks.model.steps.programs import drop_functions, lacking_function
from checks.model.steps.triggers import lacking_triggers
from checks.model.type_users import functions_with, is_made_with, names_type, uses_of_type
from checks.model.types import resolve
from checks.names import qualified
from checks.tree import Tree

_RELATIONS = {
    "TABLE": {Kind.TABLE, Kind.PARTITIONED}, "FOREIGN_TABLE": {Kind.FOREIGN}, "VIEW": {Kind.VIEW},
    "MATVIEW": {Kind.MATERIALIZED}, "SEQUENCE": {Kind.SEQUENCE},
}  # fmt: skip
_FUNCTIONS = frozenset({"FUNCTION", "PROCEDURE", "ROUTINE", "AGGREGATE"})
# Nothing of these is in the model.
_UNSEEN = frozenset(
    """
    STATISTIC_EXT PUBLICATION SUBSCRIPTION EVENT_TRIGGER FDW FOREIGN_SERVER COLLATION
    CONVERSION TSCONFIGURATION TSDICTIONARY TSPARSER TSTEMPLATE LANGUAGE TRANSFORM ACCESS_METHOD CAST
    OPERATOR OPCLASS OPFAMILY ROLE DATABASE TABLESPACE
    """.split()  # noqa: SIM905 - words, not a list of strings
)


def drop(schema: Schema, tree: Tree) -> Schema:
    """DROP, of one kind of object and any number of them."""
    kind = tree.enum("removeType").removeprefix("OBJECT_")
    cascade, if_exists = tree.enum("behavior") == "DROP_CASCADE", tree.flag("missing_ok")
    objects = tree.each("objects")
    if kind in _RELATIONS:
        names = [_relation(schema, dotted_name(one.items()), kind, if_exists=if_exists) for one in objects]
        return drop_relations(schema, [one for one in names if one], cascade=cascade)
    if kind in _FUNCTIONS:
        return drop_functions(schema, objects, if_exists=if_exists, cascade=cascade)
    if kind in _UNSEEN:
        return schema
    for one in objects:
        try:
            schema = _drop_one(schema, kind, one, cascade=cascade)
        except Refused:
            if not if_exists and schema.is_certain:
                raise
    return schema


def _drop_one(schema: Schema, kind: str, item: Tree, *, cascade: bool) -> Schema:  # noqa: PLR0911 - one for each
    match kind:
        case "INDEX":
            return drop_index(schema, dotted_name(item.items()))
        case "TYPE" | "DOMAIN":
            return drop_type(schema, [part.text("sval") for part in item.each("names")], cascade=cascade)
        case "SCHEMA":
            return drop_schema(schema, item.text("sval"), cascade=cascade)
        case "RULE" | "POLICY":
            return drop_attached(schema, kind, item)
        case "EXTENSION":
            return drop_extension(schema, item.text("sval"), cascade=cascade)
        case "TRIGGER":
            *table, trigger = (part.text("sval") for part in item.items())
            relation = schema.find(qualified(*table))
            if relation is None or trigger not in relation.triggers:
                raise Refused(trigger)
            return schema.having(lacking_triggers(relation, {trigger}))
        case _:
            return schema.doubting(f"DROP {kind.replace('_', ' ')}")


def _relation(schema: Schema, name: str, kind: str, *, if_exists: bool) -> Name | None:
    found = schema.find(name)
    if found is not None and found.kind not in _RELATIONS[kind]:
        raise Refused(name)
    if found is None and not if_exists and schema.is_certain:
        raise Refused(name)
    return found.name if found else None


def drop_relations(schema: Schema, names: Iterable[Name], *, cascade: bool) -> Schema:
    """Return the schema without these relations. Raises Refused where others need them and CASCADE is not written."""
    going = _with_dependents(schema, names, cascade=cascade)
    for name in going:
        for other, reference in _referring(schema, name):
            if other.name in going or reference.name not in current(schema, other.name).constraints:
                continue
            if not cascade:
                raise Refused(f"{reference.name} of {other.name} needs it")
            schema = drop_constraint(schema, other.name, reference.name, cascade=True)
    gone = [current(schema, name) for name in going]
    schema = schema.lacking(*going)
    for one in gone:
        if one.kind is Kind.SEQUENCE:
            schema = without_defaults_of(schema, one.name, cascade=cascade)
        else:
            schema = _without_columns_of(schema, one.name, cascade=cascade)
    return schema


def _referring(schema: Schema, name: Name) -> list[tuple[Relation, Constraint]]:
    """Return the foreign keys that need a table: those to it, and to the tables that it is a partition of."""
    found: list[tuple[Relation, Constraint]] = []
    above: Name | None = name
    while above is not None:
        found.extend(schema.referencing(above))
        above = current(schema, above).partition_of
    return found


def _with_dependents(schema: Schema, names: Iterable[Name], *, cascade: bool) -> dict[Name, None]:
    """Return the relations that go: those named, what belongs to them, and by CASCADE what is made of them."""
    asked = set(names)
    going: dict[Name, None] = {}
    waiting = list(asked)
    while waiting:
        name = waiting.pop(0)
        if name in going or name not in schema.relations:
            continue
        going[name] = None
        for one in schema.relations.values():
            if one.partition_of == name or (one.owner and one.owner[0] == name):
                waiting.append(one.name)
            elif name in one.inherits or name in one.reads:
                if not cascade and one.name not in asked:
                    raise Refused(f"{one.name} needs it")
                waiting.append(one.name)
    return going


def _without_columns_of(schema: Schema, kind: Name, *, cascade: bool) -> Schema:
    """Return the schema without the columns of a type that is gone."""
    schema = without_defaults_over(schema, kind, cascade=cascade)
    for relation in tuple(schema.relations.values()):
        for column in tuple(relation.columns.values()):
            if (column.type.schema, column.type.name) != tuple(kind):
                continue
            if not cascade:
                raise Refused(f"{column.name} has the type")
            if relation.kind in {Kind.VIEW, Kind.MATERIALIZED}:
                return drop_relations(schema, [relation.name], cascade=True)
            if column.name in current(schema, relation.name).columns:
                schema = alter_columns.drop(schema, relation.name, column.name, cascade=True)
    return schema


def drop_index(schema: Schema, name: str) -> Schema:
    """DROP INDEX, with its parts on partitions. Raises Refused for one that carries a constraint or is a part."""
    relation, index = require_index(schema, name)
    if index.parent or any(one.index == index.name for one in relation.constraints.values()):
        raise Refused(name)
    return _drop_with_parts(schema, relation.name, index.name)


def _drop_with_parts(schema: Schema, table: Name, name: str) -> Schema:
    relation = current(schema, table)
    schema = schema.having(replace(relation, indexes=without(relation.indexes, name)))
    for partition in tuple(schema.partitions(table)):
        for own in partition.indexes.values():
            if own.parent == Name(table.schema, name):
                schema = _drop_with_parts(schema, partition.name, own.name)
    return schema


def drop_type(schema: Schema, names: list[str], *, cascade: bool) -> Schema:
    """DROP TYPE and DROP DOMAIN; by CASCADE with the columns, and the domains, that have it."""
    found = resolve(names, schema)
    if found is None:
        raise Refused(".".join(names))
    schema = _without_columns_of(schema, found, cascade=cascade)
    schema = _without_what_names(schema, found, cascade=cascade)
    schema = replace(schema, types=without(schema.types, found)).lacking(found)
    for other in tuple(schema.types.values()):
        if other.base and (other.base.schema, other.base.name) == tuple(found):
            if not cascade:
                raise Refused(f"{other.name} is based on it")
            schema = drop_type(schema, list(other.name), cascade=True)
    return schema


def _without_what_names(schema: Schema, kind: Name, *, cascade: bool) -> Schema:
    """Return the schema without views, constraints, indexes and functions that are written with a type that is gone."""
    for relation in tuple(schema.relations.values()):
        if is_made_with(relation, kind) or any(uses_of_type(relation, kind)):
            if not cascade:
                raise Refused(f"{relation.name} is written with it")
            if is_made_with(relation, kind):
                schema = drop_relations(schema, [relation.name], cascade=True)
                continue
            schema = schema.having(_without_casts(current(schema, relation.name), kind))
    for function in tuple(functions_with(schema, kind)):
        if not cascade:
            raise Refused(f"{function.name} takes or returns it")
        left = tuple(one for one in schema.functions[function.name] if one != function)
        functions = {**schema.functions, function.name: left} if left else without(schema.functions, function.name)
        schema = replace(schema, functions=functions).doubting(f"what calls {function.name}(), which goes with a type")
    return schema


def _without_casts(relation: Relation, kind: Name) -> Relation:
    return replace(
        relation,
        columns={key: one for key, one in relation.columns.items()
                 if not (one.generated and one.default and names_type(one.default, kind))},
        constraints={key: one for key, one in relation.constraints.items() if not names_type(one.expression, kind)},
        indexes={key: one for key, one in relation.indexes.items()
                 if not any(names_type(each, kind) for each in (*one.expressions, one.predicate))},
        policies={key: one for key, one in relation.policies.items() if not names_type(one, kind)},
    )  # fmt: skip


def drop_schema(schema: Schema, name: str, *, cascade: bool) -> Schema:
    """DROP SCHEMA; by CASCADE with all that is in it."""
    if name not in schema.schemas and schema.is_certain:
        raise Refused(name)
    inside = [one for one in schema.relations if one.schema == name]
    types = [one for one in schema.types if one.schema == name]
    functions = [one for one in schema.functions if one.schema == name]
    if (inside or types or functions) and not cascade:
        raise Refused(name)
    schema = drop_relations(schema, inside, cascade=True)
    for one in types:
        if one in schema.types:
            schema = drop_type(schema, list(one), cascade=True)
    for function in functions:
        schema = lacking_function(schema, function)
    return replace(schema, schemas=schema.schemas - {name})

"""Extensions: the types and functions that the well-known ones bring. Others may bring anything."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from checks.model.edit import Refused, creation_schema
from checks.model.relations import Name
from checks.model.schema import Function, Schema, UserType
from checks.tree import Tree


@dataclass(frozen=True, slots=True)
class Contents:
    """What an extension brings: names of types, and of functions with their volatility."""

    types: tuple[str, ...] = ()
    immutable: tuple[str, ...] = ()
    stable: tuple[str, ...] = ()
    volatile: tuple[str, ...] = ()


KNOWN: Mapping[str, Contents] = {
    "plpgsql": Contents(),
    "btree_gin": Contents(),
    "btree_gist": Contents(),
    "citext": Contents(types=("citext",)),
    "cube": Contents(types=("cube",)),
    "fuzzystrmatch": Contents(immutable=("soundex", "metaphone", "dmetaphone", "levenshtein", "difference")),
    "hstore": Contents(types=("hstore", "ghstore"), immutable=("hstore", "hstore_to_json", "akeys")),
    "intarray": Contents(types=("query_int",), immutable=("sort", "uniq", "idx", "subarray")),
    "isn": Contents(types=("ean13", "isbn13", "ismn13", "issn13", "isbn", "ismn", "issn", "upc")),
    "lo": Contents(types=("lo",), volatile=("lo_manage",)),
    "ltree": Contents(types=("ltree", "lquery", "ltxtquery"), immutable=("subltree", "subpath", "nlevel")),
    "moddatetime": Contents(volatile=("moddatetime",)),
    "pg_trgm": Contents(immutable=("similarity", "show_trgm", "word_similarity")),
    "pgcrypto": Contents(
        immutable=("digest", "hmac", "crypt", "encrypt", "decrypt"),
        volatile=("gen_salt", "gen_random_bytes", "gen_random_uuid", "pgp_sym_encrypt"),
    ),
    "seg": Contents(types=("seg",)),
    "tablefunc": Contents(volatile=("normal_rand",), stable=("crosstab",)),
    "unaccent": Contents(stable=("unaccent",)),
    "uuid-ossp": Contents(
        immutable=("uuid_nil", "uuid_ns_dns", "uuid_ns_url", "uuid_ns_oid", "uuid_ns_x500", "uuid_generate_v3",
                   "uuid_generate_v5"),
        volatile=("uuid_generate_v1", "uuid_generate_v1mc", "uuid_generate_v4"),
    ),
    "vector": Contents(types=("vector", "halfvec", "sparsevec"), immutable=("cosine_distance", "l2_distance")),
    "postgis": Contents(
        types=("geometry", "geography", "box2d", "box3d", "raster"),
        immutable=("st_makepoint", "st_setsrid", "st_geomfromtext", "st_transform", "st_x", "st_y", "st_area",
                   "st_distance", "st_intersects", "st_contains", "st_asgeojson", "st_geomfromgeojson"),
    ),
}  # fmt: skip
"""By the documentation of each (contrib of PostgreSQL 18, PostGIS 3.5, pgvector 0.8)."""

# They bring relations of their own, which nothing here lists.
_WITH_RELATIONS = frozenset({"postgis"})


def create_extension(schema: Schema, tree: Tree) -> Schema:
    """CREATE EXTENSION. One that is not known may bring anything, which is a doubt."""
    name = tree.text("extname")
    if name in schema.extensions:
        if tree.flag("if_not_exists"):
            return schema
        raise Refused(name)
    schema = replace(schema, extensions=schema.extensions | {name})
    contents = KNOWN.get(name)
    if contents is None or tree.switched_on("cascade"):
        return schema.doubting(f"extension {name} brings what is not known")
    option = tree.option("schema")
    where = option.get("arg") if option else None
    place = where.text("sval") if where else creation_schema(schema)
    types = {Name(place, one): UserType(Name(place, one), "base") for one in contents.types}
    functions = {
        Name(place, one): (Function(Name(place, one), -1, volatility, "c"),)
        for volatility in ("immutable", "stable", "volatile")
        for one in getattr(contents, volatility)
    }
    return replace(schema, types={**types, **schema.types}, functions={**functions, **schema.functions})


def drop_extension(schema: Schema, name: str, *, cascade: bool) -> Schema:
    """DROP EXTENSION, with the types and functions it brought. Raises Refused where it is not there, or needed."""
    if name not in schema.extensions:
        raise Refused(name)
    contents = KNOWN.get(name, Contents())
    types = {one for one in schema.types if one.name in contents.types and schema.types[one].kind == "base"}
    users = [one.name for kind in types for one, _ in schema.users_of_type(kind)]
    if users and not cascade:
        raise Refused(f"{users[0]} needs it")
    functions = {*contents.immutable, *contents.stable, *contents.volatile}
    left = {key: one for key, one in schema.functions.items() if key.name not in functions or one[0].language != "c"}
    schema = replace(schema, extensions=schema.extensions - {name}, functions=left)
    if name not in KNOWN or users:
        return schema.doubting(f"DROP EXTENSION {name} takes along what needs it")
    return replace(schema, types={key: one for key, one in schema.types.items() if key not in types})

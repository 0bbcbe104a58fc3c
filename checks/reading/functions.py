"""Which function calls are known to change nothing. A function that is not listed may do anything."""

from __future__ import annotations

from collections.abc import Iterator

from checks.tree import Tree

# Built-in and without side effects: the answer of one of these in a statement changes nothing by itself.
_STABLE = frozenset(
    """
    now transaction_timestamp statement_timestamp to_char to_date to_timestamp to_number timezone
    date_trunc date_part extract age make_date make_timestamp make_interval justify_days justify_hours
    lower upper initcap trim btrim ltrim rtrim length char_length character_length octet_length substr
    substring replace regexp_replace regexp_match regexp_matches regexp_split_to_array split_part concat
    concat_ws format left right lpad rpad repeat reverse strpos position overlay translate encode decode
    md5 sha256 quote_ident quote_literal abs ceil ceiling floor round trunc sign mod power sqrt div
    greatest least count sum avg min max array_agg string_agg json_agg jsonb_agg json_object_agg
    jsonb_object_agg bool_and bool_or every row_number rank dense_rank percent_rank ntile lag lead
    first_value last_value unnest array_length array_position array_append array_prepend array_cat
    array_remove array_to_string string_to_array cardinality generate_series to_json to_jsonb
    json_build_object jsonb_build_object json_build_array jsonb_build_array jsonb_set
    jsonb_array_elements jsonb_array_elements_text jsonb_each jsonb_each_text json_array_elements
    jsonb_typeof jsonb_strip_nulls row_to_json jsonb_array_length jsonb_object_keys to_tsvector
    to_tsquery plainto_tsquery setweight coalesce nullif current_setting current_database current_schema
    version pg_typeof to_regclass pg_get_serial_sequence pg_table_size pg_total_relation_size
    pg_relation_size pg_size_pretty obj_description exists
    """.split()  # noqa: SIM905 - words, not a list of strings
)
# Harmless too, but a new value for every row: as a column's default they rewrite the table.
_PER_ROW = frozenset(
    """
    random gen_random_uuid uuidv4 uuidv7 uuid_generate_v4 uuid_generate_v1 clock_timestamp timeofday
    nextval
    """.split()  # noqa: SIM905 - words, not a list of strings
)


def calls(tree: Tree) -> Iterator[tuple[str, ...]]:
    """Yield the name of every function called in an expression or statement, schema first where written."""
    for node in tree.walk():
        if node.tag == "FuncCall":
            yield tuple(part.text("sval") for part in node.each("funcname"))


def is_stable(name: tuple[str, ...]) -> bool:
    """True when the function is known, and gives one value for the whole statement."""
    return _built_in(name) in _STABLE


def is_harmless(name: tuple[str, ...]) -> bool:
    """True when the function is known not to change anything that a migration is judged by."""
    return _built_in(name) in _STABLE | _PER_ROW


def _built_in(name: tuple[str, ...]) -> str:
    """Return the bare name, or "" when a schema other than the system's is named."""
    return name[-1] if name and name[:-1] in {(), ("pg_catalog",)} else ""

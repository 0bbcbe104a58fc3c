"""Whether an expression gives one value for a whole statement. A default that does not makes ADD COLUMN rewrite."""

from __future__ import annotations

from enum import StrEnum

from checks.locks.sql import expression
from checks.model import Function, Name, Schema
from checks.names import qualified
from checks.tree import Tree


class Volatility(StrEnum):
    """Whether a value can differ from row to row."""

    FIXED = "fixed"
    VOLATILE = "volatile"
    UNKNOWN = "unknown"


# Functions of the server that are not volatile (pg_proc of PostgreSQL 14 to 18), without those that only the server
# itself calls. Overloads do not differ in it, whatever their number of arguments.
FIXED = frozenset(
    """
    abbrev abs acldefault acos acosd acosh age area array_append array_cat array_dims array_fill array_length
    array_lower array_ndims array_position array_positions array_prepend array_remove array_replace array_reverse
    array_sort array_to_json array_to_string array_to_tsvector array_upper ascii asin asind asinh atan atan2 atan2d
    atand atanh bit_count bit_length box broadcast btrim cardinality casefold cbrt ceil ceiling center char
    char_length character_length chr cidr circle col_description concat concat_ws convert convert_from convert_to cos
    cosd cosh cot cotd crc32 crc32c current_database current_schema current_schemas current_setting current_user date
    date_add date_bin date_part date_subtract date_trunc datemultirange daterange decode degrees diameter div encode
    enum_first enum_last enum_range erf erfc exp extract factorial family floor format format_type gamma gcd
    generate_series generate_subscripts get_bit get_byte get_current_ts_config getpgusername height host hostmask
    inet_client_addr inet_client_port inet_merge inet_same_family inet_server_addr inet_server_port initcap
    int4multirange int4range int8multirange int8range is_normalized isclosed isempty isfinite isopen json_array_elements
    json_array_elements_text json_array_length json_build_array json_build_object json_each json_each_text
    json_extract_path json_extract_path_text json_object json_object_keys json_populate_record json_strip_nulls
    json_typeof jsonb_array_elements jsonb_array_elements_text jsonb_array_length jsonb_build_array jsonb_build_object
    jsonb_concat jsonb_delete jsonb_each jsonb_each_text jsonb_extract_path jsonb_extract_path_text jsonb_insert
    jsonb_object jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array
    jsonb_path_query_first jsonb_populate_record jsonb_pretty jsonb_set jsonb_set_lax jsonb_strip_nulls
    jsonb_to_tsvector jsonb_typeof justify_days justify_hours justify_interval lcm left length like_escape line ln log
    log10 lower lower_inc lower_inf lpad lseg ltrim macaddr8_set7bit make_date make_interval make_time make_timestamp
    make_timestamptz masklen md5 min_scale mod money multirange netmask network normalize now npoints num_nonnulls
    num_nulls numeric nummultirange numnode numrange obj_description octet_length overlay parse_ident path
    pg_backend_pid pg_client_encoding pg_column_size pg_conf_load_time pg_current_snapshot pg_current_xact_id
    pg_get_constraintdef pg_get_expr pg_get_functiondef pg_get_indexdef pg_get_serial_sequence pg_get_userbyid
    pg_get_viewdef pg_has_role pg_my_temp_schema pg_postmaster_start_time pg_size_bytes pg_size_pretty
    pg_table_is_visible pg_trigger_depth pg_typeof phraseto_tsquery pi plainto_tsquery point polygon position pow power
    querytree quote_ident quote_literal quote_nullable radians radius range_merge regexp_count regexp_instr
    regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array regexp_split_to_table regexp_substr
    repeat replace reverse right round row_security_active row_to_json rpad rtrim scale session_user set_bit set_byte
    set_masklen setweight sha224 sha256 sha384 sha512 shobj_description sign sin sind sinh slope split_part sqrt
    statement_timestamp string_to_array string_to_table strip strpos substr substring system_user tan tand tanh text
    time timestamp timestamptz timetz timezone to_ascii to_bin to_char to_date to_hex to_json to_jsonb to_number to_oct
    to_regclass to_regnamespace to_regproc to_regprocedure to_regrole to_regtype to_timestamp to_tsquery to_tsvector
    transaction_timestamp translate trim_array trim_scale trunc ts_delete ts_filter ts_headline ts_rank ts_rank_cd
    tsmultirange tsquery_phrase tsrange tstzmultirange tstzrange tsvector_to_array txid_current
    txid_current_if_assigned unicode_assigned unicode_version unistr unnest upper upper_inc upper_inf
    uuid_extract_timestamp uuid_extract_version version websearch_to_tsquery width width_bucket xmlcomment xpath
    has_table_privilege has_column_privilege has_schema_privilege has_sequence_privilege has_database_privilege
    has_function_privilege int2 int4 int8 float4 float8 varchar bpchar name bool interval bit varbit oid jsonb json
    """.split()  # noqa: SIM905 - words, not a list of strings
)
VOLATILE = frozenset(
    """
    array_sample array_shuffle clock_timestamp current_query currval gen_random_uuid lastval lo_creat lo_create
    lo_from_bytea lo_import nextval pg_advisory_lock pg_advisory_lock_shared pg_advisory_unlock pg_advisory_unlock_all
    pg_advisory_unlock_shared pg_advisory_xact_lock pg_advisory_xact_lock_shared pg_cancel_backend
    pg_current_wal_lsn pg_database_size pg_export_snapshot pg_indexes_size pg_is_in_recovery pg_notify
    pg_read_binary_file pg_read_file pg_relation_size pg_reload_conf pg_sequence_last_value pg_sleep pg_sleep_for
    pg_sleep_until pg_stat_reset pg_table_size pg_tablespace_size pg_terminate_backend pg_total_relation_size
    pg_try_advisory_lock pg_try_advisory_lock_shared pg_try_advisory_xact_lock pg_xact_commit_timestamp random
    random_normal set_config setseed setval timeofday txid_status uuidv4 uuidv7
    """.split()  # noqa: SIM905
)
# Of extensions that are common: uuid-ossp, pgcrypto. Their other functions are immutable.
_EXTENSIONS_VOLATILE = frozenset(
    [
        "uuid_generate_v1",
        "uuid_generate_v1mc",
        "uuid_generate_v4",
        "gen_random_bytes",
        "gen_salt",
        "pgp_sym_encrypt",
        "pgp_sym_encrypt_bytea",
        "pgp_pub_encrypt",
        "pgp_pub_encrypt_bytea",
        "nanoid",
        "gen_ulid",
        "uuid_generate_v7",
    ]
)
_EXTENSIONS_FIXED = frozenset(
    ["uuid_nil", "uuid_ns_dns", "uuid_ns_url", "uuid_generate_v3", "uuid_generate_v5", "digest", "hmac", "crypt"]
)
_OPERATORS = frozenset(
    [
        "+",
        "-",
        "*",
        "/",
        "%",
        "^",
        "||",
        "=",
        "<>",
        "!=",
        "<",
        ">",
        "<=",
        ">=",
        "~",
        "~*",
        "!~",
        "!~*",
        "~~",
        "!~~",
        "~~*",
        "!~~*",
        "->",
        "->>",
        "#>",
        "#>>",
        "@>",
        "<@",
        "?",
        "|",
        "&",
        "#",
    ]
)


def volatility_of(tree: Tree | None, schema: Schema, *, depth: int = 0) -> Volatility:
    """Return whether an expression can give another value for each row. A function nobody knows: UNKNOWN.

    `depth` counts the functions that it is inside of, which the server puts in the place of their calls.
    """
    worst = Volatility.FIXED
    for node in tree.walk() if tree else ():
        found = Volatility.FIXED
        if node.tag == "FuncCall":
            found = of_call(node, schema, depth=depth)
        elif node.tag in {"SubLink", "SelectStmt"}:
            found = Volatility.UNKNOWN
        elif node.tag == "A_Expr" and (names := node.each("name")):
            is_known = names[-1].text("sval") in _OPERATORS or node.enum("kind") != "AEXPR_OP"
            found = Volatility.FIXED if is_known else Volatility.UNKNOWN
        if found is Volatility.VOLATILE:
            return found
        worst = found if found is Volatility.UNKNOWN else worst
    return worst


_DEEPEST = 8


def of_call(call: Tree, schema: Schema, *, depth: int = 0) -> Volatility:
    """Return the volatility of one function call."""
    parts = [part.text("sval") for part in call.each("funcname")]
    bare, written = parts[-1], "".join(parts[:-1])
    if written in {"", "pg_catalog"} and bare in VOLATILE:
        return Volatility.VOLATILE
    if written in {"", "pg_catalog"} and bare in FIXED:
        return Volatility.FIXED
    for place in (written,) if written else schema.path:
        for one in schema.functions.get(Name(place, bare), ()):
            if one.arguments == len(call.each("args")):
                return _of_function(one, schema, depth)
    if bare in _EXTENSIONS_VOLATILE:
        return Volatility.VOLATILE
    return Volatility.FIXED if bare in _EXTENSIONS_FIXED else Volatility.UNKNOWN


def _of_function(function: Function, schema: Schema, depth: int) -> Volatility:
    """Return the volatility of a user's function: of what stands in its place, where the server puts that there."""
    if function.volatility != "volatile":
        return Volatility.FIXED
    if not function.is_inlined:
        return Volatility.VOLATILE
    if not function.expression or depth > _DEEPEST:
        return Volatility.UNKNOWN
    return volatility_of(expression(function.expression), schema, depth=depth + 1)


def unknown_calls(tree: Tree | None, schema: Schema) -> tuple[str, ...]:
    """Return the functions in an expression of which nothing is known, as SQL."""
    calls = (node for node in tree.walk() if node.tag == "FuncCall") if tree else ()
    return tuple(
        dict.fromkeys(
            qualified(*(part.text("sval") for part in call.each("funcname")))
            for call in calls
            if of_call(call, schema) is Volatility.UNKNOWN
        )
    )


def sequences_in(tree: Tree | None) -> tuple[str, ...]:
    """Return the names, as SQL, of the sequences that an expression takes a value from or sets."""
    found = []
    for call in (node for node in tree.walk() if node.tag == "FuncCall") if tree else ():
        if call.each("funcname")[-1].text("sval") in {"nextval", "setval", "currval"} and call.each("args"):
            argument: Tree | None = call.each("args")[0]
            while argument is not None and argument.tag == "TypeCast":
                argument = argument.get("arg")
            value = argument.get("val") if argument is not None and argument.tag == "A_Const" else None
            if value is not None and value.text("sval"):
                found.append(value.text("sval"))
    return tuple(dict.fromkeys(found))

"""What a record of a schema is made of, and what no record holds."""

from __future__ import annotations

PARTS = {
    "columns": "column", "constraints": "constraint", "indexes": "index", "triggers": "trigger", "rules": "rule",
    "statistics": "statistics", "policies": "policy", "grants": "grant to", "settings": "setting", "options": "option",
    "toast options": "toast option", "tables": "table", "mappings": "mapping", "schemas": "schema",
    "type grants": "grant of the type to", "foreign options": "foreign option",
}  # fmt: skip
"""The parts that are named pieces, and what people call one of them."""

ORDER = "column order"
SOFT = frozenset({ORDER})
"""Parts that are told, but do not make two schemas unequal: nothing puts a column that is added again in its place."""

NOT_RECORDED = (
    "rows, values of sequences, sizes, and what ANALYZE counted: they change by themselves",
    "large objects: they are data",
    "roles, their memberships, and settings of a role for all databases: they belong to the server",
    "tablespaces, settings of the server, rights on its settings, and replication slots and origins: they belong to it",
    "passwords and keys: of an option or a setting that may hold one there is a hash, of a subscription no address",
    "options of a user mapping: the server shows them to its owner only",
    "the owner of an extension, and its members but for their rights: a command names the extension only",
    "temporary objects: they end with their session",
    "the schema locktender: it is ours",
    "system objects but for their rights: no command changes them",
    "names of valid NOT NULL constraints: releases before 18 have none",
)
"""What no snapshot holds, in words."""

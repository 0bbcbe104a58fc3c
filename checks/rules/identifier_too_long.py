"""identifier-too-long: a name that PostgreSQL cuts off at 63 bytes without an error."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator

from checks.context import Context
from checks.finding import Group, Hit, Rule, Severity
from checks.statements import tokens

_NAME_BYTES = 63
# Where such a name may be: a character outside of ASCII takes up to four bytes.
_MAY_BE_LONG = {
    is_ascii: re.compile(rf'"[^"]{{{length}}}|[\w$]{{{length}}}') for is_ascii, length in ((True, 64), (False, 16))
}


def _judge(context: Context) -> Iterator[Hit]:
    script = context.script
    for name, offset in _long_names(script.text):
        place = bisect_right(script.statements, offset, key=lambda one: one.offset) - 1
        if place >= 0:
            kept = name.encode()[:_NAME_BYTES].decode(errors="ignore")
            yield Hit(
                script.statements[place],
                f"The name is longer than 63 bytes; the server takes it for {kept}.",
                offset=offset,
            )


def _long_names(sql: str) -> Iterator[tuple[str, int]]:
    """Yield each name of a script that the server would cut off, with where it begins, in characters."""
    if _MAY_BE_LONG[sql.isascii()].search(sql) is None:
        return
    for kind, start, end in tokens(sql):
        if kind in {"IDENT", "UIDENT"}:
            written = sql[start:end]
            name = written[1:-1].replace('""', '"') if written.startswith('"') else written
            if len(name.encode()) > _NAME_BYTES:
                yield name, start


RULE = Rule(
    code="identifier-too-long",
    title="Name longer than 63 bytes",
    severity=Severity.WARNING,
    group=Group.SCRIPT,
    why="The server cuts the name and only sends a notice. Two long names that begin alike become one, and a check "
    "for the full name, in the catalogue or in a tool, finds nothing.",
    blocks="Nothing.",
    help="Choose a name of at most 63 bytes. Letters outside of ASCII take two to four bytes each.",
    source="PostgreSQL manual, section 4.1.1 Identifiers and Key Words",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, customer_id bigint);",
    bad="COMMENT ON CONSTRAINT orders_pkey ON orders IS 'x';\n"
    "CREATE TABLE orders_of_customers_who_have_not_been_seen_since_the_beginning_of_the_year (id bigint PRIMARY KEY);",
    good="CREATE TABLE orders_of_customers_not_seen_this_year (id bigint PRIMARY KEY);",
)

"""A connection string as Prisma writes it, for libpq, which refuses what it does not know."""

from collections.abc import Mapping
from urllib.parse import quote, unquote

SCHEMA, POOLER = "schema", "pgbouncer"
OF_ITS_POOL = frozenset(
    {"connection_limit", "pool_timeout", "socket_timeout", "statement_cache_size", "single_use_connections"}
)
"""What says nothing about a single session."""

TRUST, LAX = "sslaccept", "accept_invalid_certs"
OTHERWISE: Mapping[str, str] = {
    TRUST: "Instead of sslaccept=strict write sslmode=verify-full and sslrootcert=PATH with the server's authority.",
    "sslidentity": "Write the certificate and the key of the client as sslcert=PATH and sslkey=PATH.",
}
"""What libpq says in another way, with other files: nobody but the owner of the connection can say which."""


class OfPrisma(Exception):
    """Something in a connection string that cannot be carried over. `instead` is empty for a pooler."""

    def __init__(self, option: str, *, instead: str) -> None:
        self.option = option
        self.instead = instead
        super().__init__(option)


def for_libpq(secret: str) -> str:
    """Return a connection string without what only Prisma understands. `schema` becomes the search path.

    Everything else stays as it is written. Raises OfPrisma for what means another connection, or cannot be told.
    """
    address, mark, query = secret.rpartition("?")
    if not mark or not secret.startswith(("postgresql://", "postgres://")):
        return secret
    kept, options, schema = [], [], ""
    for pair in query.split("&"):
        name, _, written = pair.partition("=")
        value = unquote(written)
        if name in OTHERWISE and (name, value) != (TRUST, LAX):
            raise OfPrisma(name, instead=OTHERWISE[name])
        if name == POOLER and value != "false":
            raise OfPrisma(name, instead="")
        if name == SCHEMA:
            schema = value
        elif name == "options":
            options.append(value)
        elif name not in {TRUST, POOLER, *OF_ITS_POOL}:
            kept.append(pair)
    if schema:
        options.append(_search_path(schema))
    if options:
        kept.append(f"options={quote(' '.join(options), safe='')}")
    return f"{address}?{'&'.join(kept)}" if kept else address


def _search_path(schema: str) -> str:
    """Return the option that makes a schema the search path, whatever is in its name."""
    name = '"' + schema.replace('"', '""') + '"'
    return "-csearch_path=" + name.replace("\\", "\\\\").replace(" ", "\\ ")

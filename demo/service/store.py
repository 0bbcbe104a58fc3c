"""What the application reads and writes, over a few connections that are opened again when the database went away."""

import queue
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from decimal import Decimal

import psycopg

CONNECTIONS = 12
WAIT_SECONDS = 5  # for one of them
LIMITS = "SET statement_timeout = '5s'; SET lock_timeout = '2s'; SET idle_in_transaction_session_timeout = '10s'"

# Where each version finds what sets the bonus. 2.5 knows both names: in the row as JSON, neither has to be there.
TIERS = {
    "2.4.0": "tier",
    "2.5.0": "coalesce(to_jsonb(businesses) ->> 'level', to_jsonb(businesses) ->> 'tier')",
}
BONUS_PERCENT = {"basic": 10, "silver": 25, "gold": 50}
"""What a purchase brings on top of its points."""

TIER = "SELECT {tier} FROM businesses WHERE id = %s"
PURCHASE = "INSERT INTO transactions (user_id, business_id, amount) VALUES (%s, %s, %s) RETURNING id"
POINTS = "INSERT INTO point_ledger (user_id, transaction_id, points, reason) VALUES (%s, %s, %s, %s)"
BALANCE = "SELECT coalesce(sum(points), 0) FROM point_ledger WHERE user_id = %s"

# One row of each table by its key, with the columns that are needed. The last one is never empty.
HEALTH = {
    "users": "SELECT id, email, name FROM users ORDER BY id LIMIT 1",
    "businesses": "SELECT id, name, {tier} FROM businesses ORDER BY id LIMIT 1",
    "refresh_tokens": "SELECT id, user_id, token_hash, expires_at FROM refresh_tokens ORDER BY id LIMIT 1",
    "transactions": "SELECT id, user_id, business_id, amount FROM transactions ORDER BY id DESC LIMIT 1",
    "point_ledger": "SELECT id, user_id, transaction_id, reason, points FROM point_ledger ORDER BY id DESC LIMIT 1",
    "notification_log": "SELECT id, user_id, channel, template, sent_at FROM notification_log ORDER BY id DESC LIMIT 1",
}


class NotThere(Exception):
    """What was asked for is not there; the text says what."""


class Unavailable(Exception):
    """It cannot be done now; the text says why."""


class Store:
    """The database of a version of the application. Safe to use from many threads."""

    def __init__(self, conninfo: str, *, version: str) -> None:
        self.version = version
        self._conninfo = conninfo
        self._queries = {table: query.format(tier=TIERS[version]) for table, query in HEALTH.items()}
        self._tier = TIER.format(tier=TIERS[version])
        self._outages = 0
        self._places: queue.Queue[tuple[int, psycopg.Connection | None]] = queue.Queue()
        for _ in range(CONNECTIONS):
            self._places.put((0, None))

    def warm(self) -> None:
        """Open the connections and read every table over each, so that the first requests do not wait for it."""
        with suppress(Unavailable, psycopg.Error), ExitStack() as taken:  # what cannot be opened is opened later
            for _ in range(CONNECTIONS):
                opened = taken.enter_context(self._connection())
                if any(self._read(opened, table) != "ok" for table in self._queries):
                    return

    def purchase(self, *, user: int, business: int, amount: Decimal) -> int:
        """Write a purchase with its points and return the points. Raises NotThere, Unavailable and psycopg.Error."""
        with self._connection() as opened, opened.transaction():
            found = opened.execute(self._tier, [business]).fetchone()
            if found is None:
                raise NotThere("no such business")
            if found[0] not in BONUS_PERCENT:
                raise Unavailable("the tier of the business is not known")
            points = int(amount)
            bonus = -(-points * BONUS_PERCENT[found[0]] // 100)  # a part of a point is a point
            try:
                (number,) = opened.execute(PURCHASE, [user, business, amount]).fetchone()
            except psycopg.errors.ForeignKeyViolation as unknown:
                raise NotThere("no such user") from unknown
            opened.execute(POINTS, [user, number, points, "purchase"])
            opened.execute(POINTS, [user, number, bonus, "bonus"])
            return points + bonus

    def balance(self, user: int) -> int:
        """Return the points of a user, 0 if there are none. Raises Unavailable and psycopg.Error."""
        with self._connection() as opened:
            return opened.execute(BALANCE, [user]).fetchone()[0]

    def health(self) -> dict[str, str]:
        """Read every table and return for each "ok" or what is wrong."""
        found = dict.fromkeys(self._queries, "no connection to the database")
        try:
            with self._connection() as opened:
                for table in self._queries:
                    found[table] = self._read(opened, table)
        except (Unavailable, psycopg.Error):
            pass  # what was not read says so
        return found

    def _read(self, opened: psycopg.Connection, table: str) -> str:
        try:
            row = opened.execute(self._queries[table]).fetchone()
        except psycopg.Error as error:
            if opened.closed:
                raise
            return error.diag.message_primary or type(error).__name__
        return "a column is empty" if row and row[-1] is None else "ok"

    def close(self) -> None:
        """Close the connections that are not in use."""
        with suppress(queue.Empty):
            while True:
                _, opened = self._places.get_nowait()
                if opened is not None:
                    opened.close()

    @contextmanager
    def _connection(self) -> Iterator[psycopg.Connection]:
        """Yield a connection in autocommit for this thread alone. Raises Unavailable and psycopg.OperationalError."""
        try:
            outages, opened = self._places.get(timeout=WAIT_SECONDS)
        except queue.Empty:
            raise Unavailable("no connection became free in time") from None
        try:
            if opened is not None and outages < self._outages:
                opened.close()  # what ended another one ended this one too
                opened = None
            outages = self._outages
            opened = opened or self._open()
            yield opened
        finally:
            if opened is not None and opened.closed:
                opened = None
                self._outages += 1
            self._places.put((outages, opened))

    def _open(self) -> psycopg.Connection:
        opened = psycopg.connect(
            self._conninfo,
            autocommit=True,
            connect_timeout=3,
            prepare_threshold=None,  # a prepared query fails when a migration changes the type of a column
            application_name=f"loyalty {self.version}",
        )
        opened.execute(LIMITS)
        return opened

"""Loyalty's database as it is today: TODAY's migrations, applied as Prisma does, and the same rows every time."""

import hashlib
from uuid import uuid4

import psycopg
from psycopg import sql

from demo.releases import TODAY
from demo.service.store import BONUS_PERCENT

USERS, BUSINESSES = 20_000, 200  # however long the ledger is
APPLICATION = "loyalty_app"

# Prisma's own, word for word: what `prisma migrate` would find missing or different, it would refuse.
HISTORY = """
CREATE TABLE _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
)
"""
BEGIN = (
    "INSERT INTO _prisma_migrations (id, checksum, migration_name, started_at) VALUES (%s, %s, %s, clock_timestamp())"
)
FINISH = "UPDATE _prisma_migrations SET finished_at = clock_timestamp(), applied_steps_count = 1 WHERE id = %s"

# The tables of later migrations belong to the application too, but Prisma's history does not: it is older than this.
GRANTS = """
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {application};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {application};
"""

# Rows go in four times as fast without foreign keys and indexes; both come back exactly as the migrations made them.
ASIDE = """
SELECT format('ALTER TABLE %s DROP CONSTRAINT %I', conrelid::regclass, conname),
       format('ALTER TABLE %s ADD CONSTRAINT %I %s', conrelid::regclass, conname, pg_get_constraintdef(oid))
FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
UNION ALL
SELECT format('DROP INDEX %s', indexrelid::regclass), pg_get_indexdef(indexrelid)
FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
WHERE relnamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_constraint WHERE conindid = indexrelid AND contype IN ('p', 'u', 'x'))
"""

# n counts from 1. Multiplying by a prime scatters the numbers, and every server scatters them the same way.
USER = f"(1 + n::bigint * 7919 %% {USERS})"
BUSINESS = f"(1 + (n::bigint * 31 + n / {USERS}) %% {BUSINESSES})"
CENTS = "(100 + n::bigint * 104729 %% 19901)"
WHEN = "timestamptz '2024-01-01 00:00:00+00' + n * interval '1 second' * %(apart)s"  # over the years 2024 and 2025
TIER = "CASE WHEN {0} %% 10 = 0 THEN 'gold' WHEN {0} %% 10 IN (3, 6, 9) THEN 'silver' ELSE 'basic' END"
PERCENT = f"CASE {TIER.format(BUSINESS)} {' '.join(f'WHEN {t!r} THEN {p}' for t, p in BONUS_PERCENT.items())} END"
TWO_YEARS = 2 * 365 * 24 * 3600

ROWS = {
    "users": f"""
        INSERT INTO users (id, email, name, phone, created_at)
        SELECT n, 'user' || n || '@example.com',
               (ARRAY['Ada', 'Ben', 'Cem', 'Dana', 'Emil', 'Fay', 'Gil', 'Hana'])[1 + n %% 8] || ' '
                   || (ARRAY['Adler', 'Baum', 'Celik', 'Dorn', 'Engel', 'Frank', 'Groth'])[1 + n %% 7],
               '+49 30 23125' || lpad((n %% 1000)::text, 3, '0'),
               timestamptz '2023-01-01 00:00:00+00' + n * interval '25 minutes'
        FROM generate_series(1, {USERS}) n""",
    "businesses": f"""
        INSERT INTO businesses (id, name, tier, created_at)
        SELECT n, (ARRAY['Bakery', 'Books', 'Cinema', 'Flowers', 'Garage', 'Grocer', 'Shoes'])[1 + n %% 7] || ' ' || n,
               {TIER.format("n")}, timestamptz '2023-01-01 00:00:00+00' + n * interval '1 day'
        FROM generate_series(1, {BUSINESSES}) n""",
    "refresh_tokens": f"""
        INSERT INTO refresh_tokens (id, user_id, token_hash, expires_at, created_at)
        SELECT n, n, encode(sha256(convert_to('token ' || n, 'UTF8')), 'hex'),
               timestamptz '2027-01-01 00:00:00+00', timestamptz '2026-01-01 00:00:00+00' + n * interval '1 minute'
        FROM generate_series(1, {USERS}) n""",
    "transactions": f"""
        INSERT INTO transactions (id, user_id, business_id, amount, created_at)
        SELECT n, {USER}, {BUSINESS}, {CENTS} / 100.0, {WHEN} FROM generate_series(1, %(purchases)s) n""",
    "point_ledger": f"""
        INSERT INTO point_ledger (id, user_id, transaction_id, points, reason, created_at)
        SELECT 2 * n - 1 + bonus, {USER}, n,
               CASE bonus WHEN 0 THEN {CENTS} / 100 ELSE ({CENTS} / 100 * {PERCENT} + 99) / 100 END,
               CASE bonus WHEN 0 THEN 'purchase' ELSE 'bonus' END, {WHEN}
        FROM generate_series(1, %(purchases)s) n, generate_series(0, 1) bonus""",
    "notification_log": f"""
        INSERT INTO notification_log (id, user_id, channel, template, sent_at)
        SELECT n, {USER}, CASE WHEN n %% 4 = 0 THEN 'push' ELSE 'email' END,
               (ARRAY['welcome', 'points', 'reminder'])[1 + n %% 3], {WHEN}
        FROM generate_series(1, %(purchases)s / 5) n""",
}


def found(connection: psycopg.Connection, *, ledger_rows: int) -> None:
    """Make a fresh database Loyalty's: its tables, so many rows of the ledger (two for each purchase), history, grants.

    The connection acts as the role that is to own the objects, and has no transaction open; afterwards it is in
    autocommit. The role of the application exists. After an error nothing of it is there.
    """
    connection.autocommit = True  # raises inside a transaction
    with connection.transaction():
        apply_today(connection)
        fill(connection, purchases=ledger_rows // 2)
    for table in ROWS:  # so that the server does not do it in the middle of a migration
        connection.execute(sql.SQL("VACUUM (ANALYZE) {}").format(sql.Identifier(table)))


def apply_today(connection: psycopg.Connection) -> None:
    """Do what `prisma migrate deploy` would, in the caller's transaction, and let the application at the tables."""
    connection.execute(HISTORY)
    connection.execute(sql.SQL(GRANTS).format(application=sql.Identifier(APPLICATION)))
    for folder in TODAY.migrations():
        script = (folder / "migration.sql").read_bytes()
        number = str(uuid4())
        connection.execute(BEGIN, [number, hashlib.sha256(script).hexdigest(), folder.name])
        connection.execute(script)
        connection.execute(FINISH, [number])


def fill(connection: psycopg.Connection, *, purchases: int) -> None:
    """Write the rows, the same ones for the same number, in the caller's transaction."""
    connection.execute("SET LOCAL maintenance_work_mem = '128MB'")
    aside = connection.execute(ASIDE).fetchall()
    for drop, _ in aside:
        connection.execute(drop)
    for table, rows in ROWS.items():
        connection.execute(rows, {"purchases": purchases, "apart": TWO_YEARS // max(purchases, 1)})
        connection.execute(
            sql.SQL("SELECT setval(pg_get_serial_sequence({0}, 'id'), coalesce(max(id), 1)) FROM {1}").format(
                table, sql.Identifier(table)
            )
        )
    for _, create in reversed(aside):
        connection.execute(create)

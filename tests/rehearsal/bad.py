"""Ways back that are wrong, each in another way, with what must be said first."""

# name, forward, rollback, and what the first problem says.
BAD: list[tuple[str, str, str, str]] = [
    ("a forgotten index", "DROP INDEX ledger_user_idx", "SELECT 1", "index ledger_user_idx does not come back"),
    (
        "an index that stays",
        "CREATE INDEX orders_state_idx ON orders (state)",
        "SELECT 1",
        "index orders_state_idx is left over",
    ),
    (
        "IF EXISTS hides a wrong name",
        "CREATE INDEX orders_state_idx ON orders (state)",
        "DROP INDEX IF EXISTS order_state_idx",
        "index orders_state_idx is left over",
    ),
    (
        "another default",
        "ALTER TABLE ledger ALTER COLUMN points SET DEFAULT 10",
        "ALTER TABLE ledger ALTER COLUMN points SET DEFAULT 1",
        "column points of ledger comes back with default 1 instead of 0",
    ),
    (
        "no default",
        "ALTER TABLE ledger ALTER COLUMN points DROP DEFAULT",
        "SELECT 1",
        "column points of ledger comes back with default no value instead of 0",
    ),
    (
        "another type",
        "ALTER TABLE ledger ALTER COLUMN points TYPE bigint",
        (
            "-- locktender: irreversible ledger.points\n"
            "ALTER TABLE ledger ALTER points TYPE smallint USING least(points, 32767)"
        ),
        "column points of ledger comes back with type smallint instead of integer",
    ),
    (
        "a lost grant",
        "DROP VIEW open_orders; CREATE VIEW open_orders AS SELECT id FROM orders",
        "DROP VIEW open_orders; CREATE VIEW open_orders AS SELECT id, total FROM orders WHERE state = 'open'",
        "grant to rehearsal_reader of view open_orders does not come back",
    ),
    (
        "a grant that stays",
        "GRANT INSERT ON orders TO rehearsal_reader",
        "SELECT 1",
        "grant to rehearsal_reader of orders is left over",
    ),
    (
        "another text of a view",
        "CREATE OR REPLACE VIEW open_orders AS SELECT id, total FROM orders",
        "CREATE OR REPLACE VIEW open_orders AS SELECT id, total FROM orders WHERE state = 'new'",
        "view of view open_orders",
    ),
    (
        "another text of a function",
        "CREATE OR REPLACE FUNCTION points(bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 0::bigint'",
        "CREATE OR REPLACE FUNCTION points(bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 1::bigint'",
        "function points(bigint)",
    ),
    (
        "a lost trigger",
        "DROP TRIGGER orders_touch ON orders",
        "SELECT 1",
        "trigger orders_touch of orders does not come back",
    ),
    (
        "a lost policy",
        "DROP POLICY ledger_read ON ledger",
        "SELECT 1",
        "policy ledger_read of ledger does not come back",
    ),
    ("a lost remark", "COMMENT ON TABLE ledger IS NULL", "SELECT 1", "comment of ledger does not come back"),
    (
        "lost statistics",
        "DROP STATISTICS orders_related",
        "SELECT 1",
        "statistics orders_related of orders does not come back",
    ),
    (
        "a check that nobody checks",
        "ALTER TABLE orders DROP CONSTRAINT orders_total_check",
        "ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0) NOT VALID",
        "constraint orders_total_check of orders comes back with",
    ),
    (
        "a constraint that returns as an index",
        "ALTER TABLE coupons DROP CONSTRAINT coupons_word_key",
        (
            "-- locktender: irreversible coupons\n"
            "DELETE FROM coupons a USING coupons b WHERE a.word = b.word AND a.id > b.id;"
            "CREATE UNIQUE INDEX coupons_word_key ON coupons (word)"
        ),
        "constraint coupons_word_key of coupons does not come back",
    ),
    (
        "deleted rows",
        "DELETE FROM coupons WHERE id > 7",
        "SELECT 1",
        "3 of 10 rows of coupons do not come back as they were",
    ),
    (
        "a column whose values are gone",
        "ALTER TABLE customers DROP COLUMN note",
        "ALTER TABLE customers ADD COLUMN note text",
        "19 of 20 rows of customers do not come back as they were: column note",
    ),
    (
        "values computed back, but for one",
        "UPDATE orders SET total = total + 1",
        "UPDATE orders SET total = total - 1 WHERE id > 1",
        "1 of 60 rows of orders do not come back as they were: column total",
    ),
    (
        "values that change places, so that every column has the same sum",
        "UPDATE coupons SET word = word || '!'",
        "UPDATE coupons SET word = 'word ' || 11 - id",
        "10 of 10 rows of coupons do not come back as they were",
    ),
    (
        "rows that stay",
        "INSERT INTO coupons VALUES (11, 'word 11') ON CONFLICT DO NOTHING",
        "SELECT 1",
        "coupons comes back with 1 rows that were not there",
    ),
    (
        "a sequence that begins anew",
        "DROP SEQUENCE invoice_number",
        "CREATE SEQUENCE invoice_number",
        "sequence invoice_number comes back at its beginning instead of 1,000",
    ),
    (
        "a stored query without its rows",
        "DROP MATERIALIZED VIEW totals",
        (
            "CREATE MATERIALIZED VIEW totals AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY 1 "
            "WITH NO DATA;"
            "CREATE UNIQUE INDEX totals_key ON totals (customer_id)"
        ),
        "totals comes back without its rows",
    ),
    (
        "the wrong order",
        "CREATE TABLE region (id int PRIMARY KEY); CREATE TABLE city (id int, region int REFERENCES region)",
        "DROP TABLE region; DROP TABLE city",
        "statement 1 of 001 (rollback) (line 1) stops: cannot drop table region because other objects depend on it",
    ),
    (
        "CASCADE too far",
        (
            "ALTER TABLE orders ADD COLUMN region text;"
            "CREATE OR REPLACE VIEW open_orders AS SELECT id, total, region FROM orders WHERE state = 'open'"
        ),
        "ALTER TABLE orders DROP COLUMN region CASCADE",
        "view open_orders does not come back",
    ),
    (
        "what is not there",
        "CREATE TABLE region (id int)",
        "DROP TABLE regions",
        'statement 1 of 001 (rollback) (line 1) stops: table "regions" does not exist',
    ),
    ("nothing but a remark", "CREATE TABLE region (id int)", "-- nothing to do", "table region is left over"),
    (
        "a label that nobody names",
        "ALTER TYPE mood ADD VALUE IF NOT EXISTS 'so-so'",
        "SELECT 1",
        "labels of type mood is good, bad, so-so instead of good, bad",
    ),
    (
        "a label that cannot come twice",
        "-- locktender: irreversible mood\nALTER TYPE mood ADD VALUE 'so-so'",
        "SELECT 1",
        'enum label "so-so" already exists (SQLSTATE 42710) (when it goes forward again)',
    ),
    (
        "a number beyond the old type",
        "ALTER TABLE ledger ALTER COLUMN points TYPE bigint",
        "ALTER TABLE ledger ALTER COLUMN points TYPE int",
        "(SQLSTATE 22003) (with a row written to ledger in the meantime; ledger.points = 2147483648)",
    ),
    (
        "NULL where there may be none",
        "ALTER TABLE customers ALTER COLUMN name DROP NOT NULL",
        "ALTER TABLE customers ALTER COLUMN name SET NOT NULL",
        "not null violation",
    ),
    (
        "a longer text",
        "ALTER TABLE ledger ALTER COLUMN reason TYPE varchar(60)",
        "ALTER TABLE ledger ALTER COLUMN reason TYPE varchar(20)",
        "string data right truncation",
    ),
    (
        "a longer text that is cut, which nobody names",
        "ALTER TABLE ledger ALTER COLUMN reason TYPE varchar(60)",
        "ALTER TABLE ledger ALTER COLUMN reason TYPE varchar(20) USING left(reason, 20)",
        "name it with -- locktender: irreversible ledger.reason",
    ),
    (
        "a second one of what was unique",
        "ALTER TABLE coupons DROP CONSTRAINT coupons_word_key",
        "ALTER TABLE coupons ADD CONSTRAINT coupons_word_key UNIQUE (word)",
        "unique violation",
    ),
    (
        "a row that no check keeps out",
        "ALTER TABLE orders DROP CONSTRAINT orders_total_check",
        "ALTER TABLE orders ADD CONSTRAINT orders_total_check CHECK (total >= 0)",
        "check violation",
    ),
    (
        "a row that refers to nothing",
        "ALTER TABLE orders DROP CONSTRAINT orders_customer_fk",
        "ALTER TABLE orders ADD CONSTRAINT orders_customer_fk FOREIGN KEY (customer_id) REFERENCES customers",
        "foreign key violation",
    ),
    (
        "the original goes with its double",
        "ALTER TABLE coupons DROP CONSTRAINT coupons_word_key",
        (
            "DELETE FROM coupons a USING coupons b WHERE a.word = b.word AND a.id < b.id;"
            "ALTER TABLE coupons ADD CONSTRAINT coupons_word_key UNIQUE (word)"
        ),
        "1 rows of coupons that were there before are not as they were",
    ),
    (
        "a row written in the meantime",
        "CREATE TABLE kept AS SELECT id, points FROM ledger; ALTER TABLE ledger DROP COLUMN points",
        (
            "ALTER TABLE ledger ADD COLUMN points int DEFAULT 0;"
            "UPDATE ledger SET points = (SELECT points FROM kept WHERE kept.id = ledger.id); DROP TABLE kept;"
            "ALTER TABLE ledger ALTER COLUMN points SET NOT NULL"
        ),
        "(with a row written to ledger in the meantime)",
    ),
    (
        "half of it is there",
        "CREATE INDEX CONCURRENTLY orders_a ON orders (state); CREATE INDEX CONCURRENTLY orders_b ON orders (placed)",
        "DROP INDEX CONCURRENTLY orders_b; DROP INDEX CONCURRENTLY orders_a",
        'index "orders_b" does not exist (SQLSTATE 42704) (after statement 1 of 001)',
    ),
    (
        "an index without a name, which comes twice",
        "CREATE INDEX ON orders (state)",
        "DROP INDEX orders_state_idx",
        "index orders_state_idx1 is left over (run a second time)",
    ),
    (
        "a deferred question at the end",
        "ALTER TABLE orders ALTER CONSTRAINT orders_customer_fk DEFERRABLE INITIALLY DEFERRED",
        "UPDATE orders SET customer_id = 999 WHERE id = 1",
        "the end of 001 (rollback) stops: foreign key violation",
    ),
    (
        "a migration that does not work",
        "ALTER TABLE nowhere ADD COLUMN x int",
        "SELECT 1",
        "statement 1 of 001 (line 1) stops",
    ),
    (
        "what reaches beyond the database",
        "CREATE ROLE somebody",
        "DROP ROLE somebody",
        "CREATE ROLE in line 1 of 001 reaches beyond the database, so it is not rehearsed",
    ),
]

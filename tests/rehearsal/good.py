"""Ways back that are right, each with the outcome that it proves."""

COPES = "-- locktender: irreversible ledger.points: what does not fit is cut\n"
# name, forward, rollback, and how the outcome begins.
GOOD: list[tuple[str, str, str, str]] = [
    (
        "a column",
        "ALTER TABLE orders ADD COLUMN region text",
        "ALTER TABLE orders DROP COLUMN region",
        "restores everything",
    ),
    (
        "a column with a default that is filled",
        "ALTER TABLE orders ADD region text NOT NULL DEFAULT 'eu'; UPDATE orders SET region = 'us' WHERE id > 9",
        "ALTER TABLE orders DROP COLUMN region",
        "restores everything",
    ),
    (
        "an index",
        "CREATE INDEX orders_state_idx ON orders (state)",
        "DROP INDEX orders_state_idx",
        "restores everything",
    ),
    (
        "an index beside the application",
        "CREATE INDEX CONCURRENTLY orders_state_idx ON orders (state)",
        "DROP INDEX CONCURRENTLY orders_state_idx",
        "restores everything",
    ),
    (
        "two indexes, whose rollback finds either alone",
        "CREATE INDEX CONCURRENTLY orders_a ON orders (state); CREATE INDEX CONCURRENTLY orders_b ON orders (placed);",
        "DROP INDEX CONCURRENTLY IF EXISTS orders_b; DROP INDEX CONCURRENTLY IF EXISTS orders_a;",
        "restores everything",
    ),
    (
        "tables that refer to each other",
        "CREATE TABLE region (id int PRIMARY KEY); CREATE TABLE city (id int, region int REFERENCES region)",
        "DROP TABLE city; DROP TABLE region",
        "restores everything",
    ),
    (
        "a wider number that is cut back",
        "ALTER TABLE ledger ALTER COLUMN points TYPE bigint",
        f"{COPES}ALTER TABLE ledger ALTER COLUMN points TYPE int USING least(points, 2147483647)",
        "restores the schema and loses 0 of 100 values of ledger.points",
    ),
    (
        "a longer text that is cut back",
        "ALTER TABLE ledger ALTER COLUMN reason TYPE varchar(60)",
        (
            "-- locktender: irreversible ledger.reason\n"
            "ALTER TABLE ledger ALTER COLUMN reason TYPE varchar(20) USING left(reason, 20)"
        ),
        "restores the schema and loses 0 of 100 values of ledger.reason",
    ),
    (
        "an empty value that is filled",
        "ALTER TABLE customers ALTER COLUMN name DROP NOT NULL",
        (
            "-- locktender: irreversible customers.name\n"
            "UPDATE customers SET name = '' WHERE name IS NULL; ALTER TABLE customers ALTER COLUMN name SET NOT NULL"
        ),
        "restores the schema and loses 0 of 20 values of customers.name",
    ),
    (
        "a default",
        "ALTER TABLE ledger ALTER COLUMN points SET DEFAULT 10",
        "ALTER TABLE ledger ALTER COLUMN points SET DEFAULT 0",
        "restores everything",
    ),
    (
        "a column's name",
        "ALTER TABLE orders RENAME COLUMN state TO status",
        "ALTER TABLE orders RENAME COLUMN status TO state",
        "restores everything",
    ),
    ("a table's name", "ALTER TABLE ledger RENAME TO book", "ALTER TABLE book RENAME TO ledger", "restores everything"),
    (
        "a check",
        (
            "ALTER TABLE ledger ADD CONSTRAINT ledger_points CHECK (points > 0) NOT VALID;"
            "ALTER TABLE ledger VALIDATE CONSTRAINT ledger_points"
        ),
        "ALTER TABLE ledger DROP CONSTRAINT ledger_points",
        "restores everything",
    ),
    (
        "a view's text",
        "CREATE OR REPLACE VIEW open_orders AS SELECT id, total FROM orders WHERE state IN ('open', 'new')",
        "CREATE OR REPLACE VIEW open_orders AS SELECT id, total FROM orders WHERE state = 'open'",
        "restores everything",
    ),
    (
        "a view that is made anew, with its grant",
        "DROP VIEW open_orders; CREATE VIEW open_orders AS SELECT id FROM orders",
        (
            "DROP VIEW open_orders; CREATE VIEW open_orders AS SELECT id, total FROM orders WHERE state = 'open';"
            "GRANT SELECT ON open_orders TO rehearsal_reader"
        ),
        "restores everything",
    ),
    (
        "a function's text",
        "CREATE OR REPLACE FUNCTION points(bigint) RETURNS bigint LANGUAGE sql STABLE AS 'SELECT 0::bigint'",
        (
            "CREATE OR REPLACE FUNCTION points(bigint) RETURNS bigint LANGUAGE sql STABLE "
            "AS 'SELECT sum(points) FROM ledger WHERE user_id = $1'"
        ),
        "restores everything",
    ),
    (
        "rights",
        "GRANT SELECT ON ledger TO rehearsal_reader",
        "REVOKE SELECT ON ledger FROM rehearsal_reader",
        "restores everything",
    ),
    (
        "a trigger",
        "CREATE TRIGGER ledger_touch BEFORE UPDATE ON ledger FOR EACH ROW EXECUTE FUNCTION touch()",
        "DROP TRIGGER ledger_touch ON ledger",
        "restores everything",
    ),
    (
        "a label, which cannot be taken away",
        "-- locktender: irreversible mood: a label cannot be removed\nALTER TYPE mood ADD VALUE IF NOT EXISTS 'so-so'",
        "SELECT 1",
        "restores the schema and keeps 1 new label of mood",
    ),
    (
        "a column that is dropped, and said to be lost",
        "-- locktender: irreversible customers.note\nALTER TABLE customers DROP COLUMN note",
        "ALTER TABLE customers ADD COLUMN note text",
        "restores the schema and loses 19 of 19 values of customers.note",
    ),
    (
        "rows that are deleted, and said to be lost",
        "-- locktender: irreversible coupons\nDELETE FROM coupons WHERE id > 7",
        "SELECT 1",
        "restores the schema and loses 3 of 10 rows of coupons",
    ),
    (
        "values that are computed back",
        "UPDATE orders SET total = total * 100",
        "UPDATE orders SET total = total / 100",
        "restores everything",
    ),
    (
        "values that are kept aside, with the column at the end again",
        "CREATE TABLE kept AS SELECT id, note FROM customers; ALTER TABLE customers DROP COLUMN note",
        (
            "ALTER TABLE customers ADD COLUMN note text;"
            "UPDATE customers SET note = kept.note FROM kept WHERE kept.id = customers.id; DROP TABLE kept"
        ),
        "restores everything",
    ),
    (
        "another schema",
        "CREATE SCHEMA sales; ALTER TABLE coupons SET SCHEMA sales",
        "ALTER TABLE sales.coupons SET SCHEMA public; DROP SCHEMA sales",
        "restores everything",
    ),
    (
        "a remark",
        "COMMENT ON TABLE ledger IS 'the book'",
        "COMMENT ON TABLE ledger IS 'points of customers'",
        "restores everything",
    ),
    (
        "row security",
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON orders USING (total > 0)",
        "DROP POLICY mine ON orders; ALTER TABLE orders DISABLE ROW LEVEL SECURITY",
        "restores everything",
    ),
    (
        "an index that is dropped and built again as it was",
        "DROP INDEX ledger_user_idx",
        "CREATE INDEX ledger_user_idx ON ledger (user_id)",
        "restores everything",
    ),
    (
        "a sequence's step",
        "ALTER SEQUENCE invoice_number INCREMENT 10",
        "ALTER SEQUENCE invoice_number INCREMENT 1",
        "restores everything",
    ),
    (
        "a stored query with its index and its rows",
        "DROP MATERIALIZED VIEW totals",
        (
            "CREATE MATERIALIZED VIEW totals AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY 1;"
            "CREATE UNIQUE INDEX totals_key ON totals (customer_id)"
        ),
        "restores everything",
    ),
    (
        "a type that is changed and holds the same",
        "ALTER TABLE customers ALTER COLUMN mood DROP DEFAULT, ALTER COLUMN mood TYPE text",
        (
            "-- locktender: irreversible customers.mood\n"
            "ALTER TABLE customers ALTER COLUMN mood TYPE mood "
            "USING CASE mood WHEN 'bad' THEN 'bad' ELSE 'good' END ::mood,"
            "ALTER COLUMN mood SET DEFAULT 'good'"
        ),
        "restores the schema and loses 0 of 20 values of customers.mood",
    ),
]

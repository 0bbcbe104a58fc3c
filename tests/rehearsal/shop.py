"""The database that the pairs are played on: small, with an object of every kind that a rollback can forget."""

READER = "rehearsal_reader"

SHOP = f"""
CREATE TYPE mood AS ENUM ('good', 'bad');
CREATE DOMAIN code AS text CONSTRAINT code_short CHECK (length(VALUE) < 10);
CREATE TABLE customers (
  id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  email text NOT NULL CONSTRAINT customers_email_key UNIQUE,
  name varchar(20) NOT NULL,
  mood mood NOT NULL DEFAULT 'good',
  note text
);
CREATE TABLE orders (
  id int PRIMARY KEY,
  customer_id bigint NOT NULL CONSTRAINT orders_customer_fk REFERENCES customers,
  total int NOT NULL DEFAULT 0 CONSTRAINT orders_total_check CHECK (total >= 0),
  state text NOT NULL DEFAULT 'open',
  placed timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX orders_customer_idx ON orders (customer_id);
CREATE TABLE ledger (
  id bigserial PRIMARY KEY, user_id bigint NOT NULL, points int NOT NULL DEFAULT 0, reason varchar(20)
);
CREATE INDEX ledger_user_idx ON ledger (user_id);
CREATE TABLE coupons (id int PRIMARY KEY, word text, CONSTRAINT coupons_word_key UNIQUE (word));
CREATE SEQUENCE invoice_number;
CREATE STATISTICS orders_related (dependencies) ON customer_id, state FROM orders;
CREATE VIEW open_orders AS SELECT id, total FROM orders WHERE state = 'open';
GRANT SELECT ON open_orders TO {READER};
GRANT SELECT ON customers TO {READER};
CREATE MATERIALIZED VIEW totals AS SELECT customer_id, sum(total) AS total FROM orders GROUP BY 1;
CREATE UNIQUE INDEX totals_key ON totals (customer_id);
CREATE FUNCTION points(bigint) RETURNS bigint LANGUAGE sql STABLE
  AS 'SELECT sum(points) FROM ledger WHERE user_id = $1';
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.placed := now(); RETURN NEW; END $$;
CREATE TRIGGER orders_touch BEFORE UPDATE OF state ON orders FOR EACH ROW EXECUTE FUNCTION touch();
CREATE POLICY ledger_read ON ledger FOR SELECT TO {READER} USING (user_id > 0);
ALTER TABLE ledger ENABLE ROW LEVEL SECURITY;
COMMENT ON TABLE ledger IS 'points of customers';
INSERT INTO customers (email, name, note)
  SELECT 'c' || n || '@example.org', 'customer ' || n, nullif('note ' || n, 'note 3')
  FROM generate_series(1, 20) n;
INSERT INTO orders (id, customer_id, total, state, placed)
  SELECT n, 1 + n % 20, n * 100, CASE n % 3 WHEN 0 THEN 'paid' ELSE 'open' END,
    '2026-01-01'::timestamptz + n * interval '1 h'
  FROM generate_series(1, 60) n;
INSERT INTO ledger (user_id, points, reason) SELECT 1 + n % 20, n, 'reason ' || n FROM generate_series(1, 100) n;
INSERT INTO coupons SELECT n, 'word ' || n FROM generate_series(1, 10) n;
SELECT setval('invoice_number', 1000);
REFRESH MATERIALIZED VIEW totals;
"""

-- Both columns have the new type
-- expect: 2
SELECT count(*) FROM information_schema.columns
WHERE table_schema = 'public' AND data_type = 'bigint'
AND (table_name, column_name) IN (('transactions', 'id'), ('point_ledger', 'transaction_id'));

-- What the first purchases were
-- expect: unchanged
SELECT id, user_id, business_id, amount FROM transactions WHERE id <= 1000;

-- Which points they brought
-- expect: unchanged
SELECT id, user_id, transaction_id, points, reason FROM point_ledger WHERE id <= 1000;

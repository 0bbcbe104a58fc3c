-- Points of a purchase belong to who bought
-- expect: no rows
SELECT point_ledger.id FROM point_ledger JOIN transactions ON transactions.id = transaction_id
WHERE point_ledger.user_id <> transactions.user_id;

-- What is written from now on has both amounts
-- expect: 0
SELECT count(*) FROM transactions WHERE amount_minor <> amount * 100;

-- What the first purchases were
-- expect: unchanged
SELECT id, user_id, business_id, amount FROM transactions WHERE id <= 1000;

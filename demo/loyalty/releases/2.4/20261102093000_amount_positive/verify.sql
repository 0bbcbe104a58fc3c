-- Nothing was bought for nothing
-- expect: 0
SELECT count(*) FROM transactions WHERE amount <= 0;

-- What the first purchases were
-- expect: unchanged
SELECT id, user_id, business_id, amount FROM transactions WHERE id <= 1000;

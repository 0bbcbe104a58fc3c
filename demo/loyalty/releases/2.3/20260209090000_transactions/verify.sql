-- Nothing was bought for nothing
-- expect: 0
SELECT count(*) FROM transactions WHERE amount <= 0;

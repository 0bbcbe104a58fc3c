-- Every row says what its points are for
-- expect: 0
SELECT count(*) FROM point_ledger WHERE reason IS NULL;

-- What the first rows are
-- expect: unchanged
SELECT id, user_id, transaction_id, points, reason FROM point_ledger WHERE id <= 1000;

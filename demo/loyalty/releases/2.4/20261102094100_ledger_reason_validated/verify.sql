-- Every row says what its points are for
-- expect: 0
SELECT count(*) FROM point_ledger WHERE reason IS NULL;

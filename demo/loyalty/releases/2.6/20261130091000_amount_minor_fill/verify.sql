-- Every purchase has the amount in minor units
-- expect: 0
SELECT count(*) FROM transactions WHERE amount_minor IS DISTINCT FROM amount * 100;

-- No purchase was written twice
-- expect: 0
SELECT count(*) FROM transactions WHERE revision > 1;

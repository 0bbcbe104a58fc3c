-- Every purchase of this part has the amount in minor units
-- expect: 0
SELECT count(*) FROM transactions WHERE id BETWEEN 1 AND 250000 AND amount_minor IS DISTINCT FROM amount * 100;

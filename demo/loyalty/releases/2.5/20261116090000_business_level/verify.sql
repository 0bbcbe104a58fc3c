-- Every business has a level that the application knows
-- expect: no rows
SELECT id FROM businesses WHERE level NOT IN ('basic', 'silver', 'gold');

-- The businesses themselves stay as they are
-- expect: unchanged
SELECT id, name, created_at FROM businesses WHERE id <= 100;

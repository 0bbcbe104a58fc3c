-- Every business has a tier that the application knows
-- expect: no rows
SELECT id FROM businesses WHERE tier NOT IN ('basic', 'silver', 'gold');

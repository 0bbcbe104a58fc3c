-- The column itself refuses what has no reason
-- expect: 'NO'
SELECT is_nullable FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = 'point_ledger' AND column_name = 'reason';

-- The old index is gone
-- expect: true
SELECT to_regclass('public.point_ledger_user_id_idx') IS NULL;

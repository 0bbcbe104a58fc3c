-- The index is whole and in use
-- expect: true
SELECT indisvalid AND indisready FROM pg_index
WHERE indexrelid = 'public.point_ledger_user_id_created_at_idx'::regclass;

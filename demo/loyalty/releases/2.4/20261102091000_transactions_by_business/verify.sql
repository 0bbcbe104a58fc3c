-- The index is whole and in use
-- expect: true
SELECT indisvalid AND indisready FROM pg_index
WHERE indexrelid = 'public.transactions_business_id_created_at_idx'::regclass;

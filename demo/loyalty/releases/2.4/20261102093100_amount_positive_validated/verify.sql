-- The check holds for every row
-- expect: true
SELECT convalidated FROM pg_constraint
WHERE conname = 'transactions_amount_positive' AND conrelid = 'public.transactions'::regclass;

DROP INDEX CONCURRENTLY "transactions_business_id_created_at_idx";

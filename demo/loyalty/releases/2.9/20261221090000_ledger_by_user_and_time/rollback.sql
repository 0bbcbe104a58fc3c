DROP INDEX CONCURRENTLY "point_ledger_user_id_created_at_idx";

DROP INDEX CONCURRENTLY IF EXISTS "point_ledger_user_id_idx";

-- DropIndex
DROP INDEX CONCURRENTLY "point_ledger_user_id_idx";

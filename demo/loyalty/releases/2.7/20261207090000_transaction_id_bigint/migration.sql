-- AlterTable
ALTER TABLE "transactions" ALTER COLUMN "id" SET DATA TYPE BIGINT;
ALTER SEQUENCE "transactions_id_seq" AS BIGINT;

-- AlterTable
ALTER TABLE "point_ledger" ALTER COLUMN "transaction_id" SET DATA TYPE BIGINT;

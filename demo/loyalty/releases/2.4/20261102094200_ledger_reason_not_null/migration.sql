-- AlterTable
ALTER TABLE "point_ledger" ALTER COLUMN "reason" SET NOT NULL;

-- What the check said, the column says now.
ALTER TABLE "point_ledger" DROP CONSTRAINT "point_ledger_reason_present";

ALTER TABLE "point_ledger" DROP CONSTRAINT "point_ledger_reason_present";

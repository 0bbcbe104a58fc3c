ALTER TABLE "point_ledger" VALIDATE CONSTRAINT "point_ledger_reason_present";

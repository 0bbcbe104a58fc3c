ALTER TABLE "point_ledger" DROP CONSTRAINT "point_ledger_reason_present";
ALTER TABLE "point_ledger" ADD CONSTRAINT "point_ledger_reason_present" CHECK ("reason" IS NOT NULL) NOT VALID;

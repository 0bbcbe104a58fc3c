ALTER TABLE "point_ledger" ADD CONSTRAINT "point_ledger_reason_present" CHECK ("reason" IS NOT NULL) NOT VALID;
ALTER TABLE "point_ledger" VALIDATE CONSTRAINT "point_ledger_reason_present";
ALTER TABLE "point_ledger" ALTER COLUMN "reason" DROP NOT NULL;

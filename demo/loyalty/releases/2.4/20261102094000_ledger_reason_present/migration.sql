-- Checked for new rows from now on; the next migration checks the old ones.
ALTER TABLE "point_ledger" ADD CONSTRAINT "point_ledger_reason_present" CHECK ("reason" IS NOT NULL) NOT VALID;

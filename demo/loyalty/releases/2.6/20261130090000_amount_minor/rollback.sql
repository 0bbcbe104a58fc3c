DROP TRIGGER "transactions_amount_minor" ON "transactions";
DROP FUNCTION "transactions_write_amount_minor"();
ALTER TABLE "transactions" DROP COLUMN "amount_minor", DROP COLUMN "revision";

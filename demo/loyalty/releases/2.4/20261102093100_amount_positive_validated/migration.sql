ALTER TABLE "transactions" VALIDATE CONSTRAINT "transactions_amount_positive";

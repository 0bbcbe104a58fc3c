ALTER TABLE "transactions" DROP CONSTRAINT "transactions_amount_positive";

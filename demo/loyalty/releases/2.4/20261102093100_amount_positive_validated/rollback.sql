ALTER TABLE "transactions" DROP CONSTRAINT "transactions_amount_positive";
ALTER TABLE "transactions" ADD CONSTRAINT "transactions_amount_positive" CHECK ("amount" > 0) NOT VALID;

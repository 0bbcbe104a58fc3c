-- Checked for new rows from now on; the next migration checks the old ones.
ALTER TABLE "transactions" ADD CONSTRAINT "transactions_amount_positive" CHECK ("amount" > 0) NOT VALID;

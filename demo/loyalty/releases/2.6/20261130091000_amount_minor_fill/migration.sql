-- locktender: irreversible transactions.amount_minor, transactions.revision
-- locktender: batch table=transactions key=id size=2000
UPDATE "transactions" SET "amount_minor" = "amount" * 100, "revision" = "revision" + 1;

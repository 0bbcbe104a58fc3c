UPDATE "transactions" SET "amount_minor" = "amount" * 100 WHERE "id" BETWEEN 500001 AND 750000 AND "amount_minor" IS NULL;

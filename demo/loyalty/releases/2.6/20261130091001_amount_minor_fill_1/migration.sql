UPDATE "transactions" SET "amount_minor" = "amount" * 100 WHERE "id" BETWEEN 1 AND 250000 AND "amount_minor" IS NULL;

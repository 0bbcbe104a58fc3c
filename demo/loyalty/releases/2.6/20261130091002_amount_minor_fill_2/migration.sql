UPDATE "transactions" SET "amount_minor" = "amount" * 100 WHERE "id" BETWEEN 250001 AND 500000 AND "amount_minor" IS NULL;

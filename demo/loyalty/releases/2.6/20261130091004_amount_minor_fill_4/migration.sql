UPDATE "transactions" SET "amount_minor" = "amount" * 100 WHERE "id" >= 750001 AND "amount_minor" IS NULL;

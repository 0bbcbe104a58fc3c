DROP TABLE "transactions";

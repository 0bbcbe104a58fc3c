DROP TABLE "rewards";

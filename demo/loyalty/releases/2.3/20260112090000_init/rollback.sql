DROP TABLE "businesses";
DROP TABLE "users";

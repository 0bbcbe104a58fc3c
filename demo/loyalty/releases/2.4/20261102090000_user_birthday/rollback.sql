ALTER TABLE "users" DROP COLUMN "birthday";

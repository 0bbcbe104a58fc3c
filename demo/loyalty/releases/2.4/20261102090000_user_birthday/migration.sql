-- AlterTable
ALTER TABLE "users" ADD COLUMN     "birthday" DATE;

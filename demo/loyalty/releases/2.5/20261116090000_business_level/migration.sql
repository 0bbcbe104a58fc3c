-- AlterTable
ALTER TABLE "businesses" RENAME COLUMN "tier" TO "level";

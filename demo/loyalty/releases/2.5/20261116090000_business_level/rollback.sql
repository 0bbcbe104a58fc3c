ALTER TABLE "businesses" RENAME COLUMN "level" TO "tier";

-- The numbers themselves are gone; a backup has them.
ALTER TABLE "users" ADD COLUMN     "phone" TEXT;

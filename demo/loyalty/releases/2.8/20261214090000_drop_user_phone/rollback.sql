-- locktender: irreversible users.phone: the numbers moved to the contact service, and a backup has them
ALTER TABLE "users" ADD COLUMN     "phone" TEXT;

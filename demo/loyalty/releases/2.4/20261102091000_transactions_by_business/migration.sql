-- CreateIndex
CREATE INDEX CONCURRENTLY "transactions_business_id_created_at_idx" ON "transactions"("business_id", "created_at");

-- CreateIndex
CREATE INDEX CONCURRENTLY "point_ledger_user_id_created_at_idx" ON "point_ledger"("user_id", "created_at");

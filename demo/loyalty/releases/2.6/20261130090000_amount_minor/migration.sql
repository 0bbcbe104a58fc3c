-- AlterTable
ALTER TABLE "transactions" ADD COLUMN     "amount_minor" BIGINT,
ADD COLUMN     "revision" INTEGER NOT NULL DEFAULT 0;

-- Until every application writes the new column, the database does.
CREATE FUNCTION "transactions_write_amount_minor"() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.amount_minor := NEW.amount * 100;
    RETURN NEW;
END
$$;

CREATE TRIGGER "transactions_amount_minor" BEFORE INSERT OR UPDATE OF "amount" ON "transactions"
FOR EACH ROW EXECUTE FUNCTION "transactions_write_amount_minor"();

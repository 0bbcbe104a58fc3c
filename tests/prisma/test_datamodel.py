"""schema.prisma against what the migrations make, with the real Prisma CLI, on a rehearsal server."""

import os

import pytest
from django.core.management import call_command

from controlplane.configuration import configuration
from deployments.actors import COMMAND_LINE
from deployments.models import DatamodelCheck, Environment
from deployments.pipelines.datamodels import check_datamodel
from tests.prisma.conftest import Shop
from tests.servers import SUPERUSER_URL

MODEL = """
model Member {
  id    Int    @id @default(autoincrement())
  email String @unique
  tier  Tier   @default(BASIC)
}
enum Tier {
  BASIC
  GOLD
}
"""
FIRST = """
CREATE TYPE "Tier" AS ENUM ('BASIC', 'GOLD');
CREATE TABLE "Member" (
    "id" SERIAL NOT NULL, "email" TEXT NOT NULL, "tier" "Tier" NOT NULL DEFAULT 'BASIC',
    CONSTRAINT "Member_pkey" PRIMARY KEY ("id")
);
CREATE VIEW gold AS SELECT * FROM "Member" WHERE tier = 'GOLD';
"""
UNIQUE = 'CREATE UNIQUE INDEX "Member_email_key" ON "Member"("email");'


@pytest.fixture
def with_model(shop: Shop, superuser, monkeypatch) -> Shop:
    """A project with a data model, and a rehearsal server to compare on."""
    datamodel = shop.project.folder / "prisma" / "schema.prisma"
    datamodel.write_text(datamodel.read_text() + MODEL)
    monkeypatch.setenv("REHEARSAL_SERVER", os.environ[SUPERUSER_URL])
    Environment.objects.update(rehearsal_connection="env:REHEARSAL_SERVER")
    monkeypatch.setattr(configuration(), "prisma_cli", str(shop.project.folder / "node_modules" / ".bin" / "prisma"))
    monkeypatch.setenv("DATABASE_URL", "postgresql://nobody:of-tests-only@127.0.0.1:1/never")
    return shop


def check(shop: Shop) -> DatamodelCheck:
    shop.sync()
    kept = check_datamodel(shop.staging.environment.application, actor=COMMAND_LINE)
    assert kept is not None
    return kept


def test_a_model_that_the_migrations_do_not_produce_is_told_until_they_do(with_model, superuser, capsys):
    with_model.write("20260101000000_members", FIRST)
    differs = check(with_model)
    with_model.write("20260102000000_unique", UNIQUE)
    with_model.sync()
    call_command("check_datamodel", with_model.staging.environment.application.slug)
    same = DatamodelCheck.objects.latest("pk")

    assert (differs.outcome, differs.found["more"]) == ("different", [])
    (missing,) = differs.found["missing"]
    assert "index Member_email_key is not made" in missing
    assert (same.outcome, same.found["missing"]) == ("produced", [])
    assert "The migrations produce it" in capsys.readouterr().out
    assert not superuser.execute("SELECT datname FROM pg_database WHERE datname LIKE 'lkt%datamodel%'").fetchall()


def test_what_keeps_it_from_being_compared_is_told_and_never_passed(with_model, monkeypatch):
    with_model.write("20260101000000_members", "ALTER TABLE missing ADD COLUMN note text")
    stops = check(with_model)
    with_model.write("20260101000000_members", FIRST)
    monkeypatch.setattr(configuration(), "prisma_cli", os.devnull)
    refused = check(with_model)
    monkeypatch.setattr(configuration(), "prisma_cli", None)
    unset = check(with_model)

    assert {one.outcome for one in (stops, refused, unset)} == {"not-checked"}
    assert "statement 1 of 20260101000000_members" in stops.found["why"]
    assert "cannot be started" in refused.found["why"]
    assert "PRISMA_CLI" in unset.found["why"]

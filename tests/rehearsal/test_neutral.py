"""A clone reaches nothing outside of itself, and says what it could reach before."""

import os

import psycopg
from psycopg.conninfo import make_conninfo

from deployments.postgres.rehearsal.neutral import neutralise
from tests.servers import SUPERUSER_URL

WORLD = """
CREATE FOREIGN DATA WRAPPER nowhere;
CREATE SERVER billing FOREIGN DATA WRAPPER nowhere OPTIONS (host 'db.example.org');
CREATE USER MAPPING FOR PUBLIC SERVER billing OPTIONS (password 'of-tests-only');
CREATE SUBSCRIPTION stock CONNECTION 'host=db.example.org dbname=stock' PUBLICATION stock
  WITH (connect = false, slot_name = 'stock');
CREATE FUNCTION heard() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER listener ON ddl_command_end EXECUTE FUNCTION heard();
CREATE SCHEMA cron; CREATE TABLE cron.job (jobid int, active bool); INSERT INTO cron.job VALUES (1, true);
"""


def test_everything_that_calls_out_is_cut_off_or_named(superuser):
    name = f"rehearsal_neutral_{os.getpid()}"
    superuser.execute(f"CREATE DATABASE {name}")
    try:
        with psycopg.connect(make_conninfo(os.environ[SUPERUSER_URL], dbname=name), autocommit=True) as opened:
            for statement in filter(str.strip, WORLD.split(";\n")):
                opened.execute(statement)

            told = neutralise(opened)

            assert told == [
                "user mapping of public for the foreign server billing: dropped",
                "subscription stock: dropped",
                "jobs of pg_cron: switched off",
                "event trigger listener: left as it is",
            ]
            assert opened.execute("SELECT count(*) FROM pg_user_mappings").fetchone() == (0,)
            assert opened.execute("SELECT count(*) FROM pg_subscription WHERE subname = 'stock'").fetchone() == (0,)
            assert opened.execute("SELECT active FROM cron.job").fetchone() == (False,)
            assert "of-tests-only" not in str(told)
    finally:
        superuser.execute(f"DROP DATABASE {name} WITH (FORCE)")

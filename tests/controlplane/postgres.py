"""What the tests of the embedded PostgreSQL share: a server that starts fast, a question, and a row to find again."""

import psycopg

from controlplane.embedded import PostgresServer


def quick(folder, **options):
    return PostgresServer(folder, durable=False, **options)


def ask(server, question, database="postgres"):
    with psycopg.connect(server.superuser_url(database), connect_timeout=5) as connection:
        return connection.execute(question).fetchone()[0]


def keep_a_row(server):
    with psycopg.connect(server.superuser_url()) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")

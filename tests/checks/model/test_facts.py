"""The index of a schema finds what a look through all relations finds, whatever was done to it before."""

from __future__ import annotations

from checks.model import EMPTY, Name
from checks.model.facts import CHILD_OF, CONSTRAINT, INDEX, OF_TYPE, OWNED_BY, READS, REFERS_TO, Relations
from checks.model.replay import begin, replay
from checks.statements import parse

HISTORY = """
CREATE TYPE mood AS ENUM ('a');
CREATE TABLE a (id serial PRIMARY KEY, m mood);
CREATE TABLE b (id int PRIMARY KEY, a_id int REFERENCES a);
CREATE TABLE c (id int, a_id int REFERENCES a, b_id int REFERENCES b);
CREATE INDEX c_id ON c (id);
CREATE VIEW v AS SELECT id FROM a;
CREATE TABLE p (id int) PARTITION BY RANGE (id);
CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (2);
ALTER TABLE c DROP CONSTRAINT c_a_id_fkey;
ALTER TABLE b RENAME TO bb;
ALTER INDEX c_id RENAME TO c_new;
ALTER TABLE a ADD COLUMN n mood;
ALTER TABLE c ADD FOREIGN KEY (a_id) REFERENCES a;
ALTER TABLE p DETACH PARTITION p1;
DROP VIEW v;
ALTER TABLE a SET SCHEMA public;
DROP TABLE bb CASCADE;
DROP TABLE a CASCADE;
"""
WORDS = (CHILD_OF, CONSTRAINT, INDEX, OF_TYPE, OWNED_BY, READS, REFERS_TO)


def test_the_index_that_went_along_is_that_of_a_schema_made_anew():
    schema = begin(EMPTY)
    names = [Name("public", one) for one in "a b bb c p p1 v c_id c_new a_pkey bb_pkey c_a_id_fkey c_b_id_fkey".split()]
    for statement in parse(HISTORY).statements:
        schema = replay(schema, statement)
        anew = Relations(schema.relations)
        for word in WORDS:
            for about in (*names, "mood"):
                assert schema.those(word, about) == anew.with_fact(word, about), (statement.sql, word, about)


def test_what_was_before_stays_as_it_was():
    before = begin(EMPTY)
    for statement in parse("CREATE TABLE a (id int PRIMARY KEY); CREATE TABLE b (a_id int REFERENCES a)").statements:
        before = replay(before, statement)
    (found,) = before.those(REFERS_TO, Name("public", "a"))

    after = before.lacking(found.name)

    assert after.those(REFERS_TO, Name("public", "a")) == []
    assert before.those(REFERS_TO, Name("public", "a")) == [found]
    assert [one.name.name for one in after.having(found).changed_since(after)] == ["b"]

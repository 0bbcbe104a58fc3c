"""waiver-without-effect: the texts of a finding about our own comments. The report makes it, not a rule."""

from __future__ import annotations

from checks.finding import Group, Rule, Severity

RULE = Rule(
    code="waiver-without-effect",
    title="A comment to Locktender that has no effect",
    severity=Severity.NOTE,
    group=Group.SCRIPT,
    why="A comment that ignores nothing looks like a decision that somebody took. It may hide a typing error, then "
    "the finding is still there; or it was left behind, and will ignore the next finding that nobody has looked at.",
    blocks="Nothing.",
    help="Write -- locktender: ignore CODE: reason on the line before the statement, with the code as the finding has "
    "it. Remove the comment when the finding is gone. A blocking finding cannot be ignored: resolve it.",
    source="docs/layouts.md: comments that are read",
    judge=lambda _: (),
    given="CREATE TABLE orders (id bigint PRIMARY KEY, note text);",
    bad="-- locktender: ignore index-not-concurrent: the table is small\nALTER TABLE orders ADD COLUMN status text;",
    good="-- locktender: ignore index-not-concurrent: the table has ten rows\n"
    "CREATE INDEX orders_note_idx ON orders (note);",
)

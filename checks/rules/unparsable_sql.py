"""unparsable-sql: the text of the finding that a script cannot be analysed. The report makes it, not a rule."""

from __future__ import annotations

from checks.finding import Group, Rule, Severity

RULE = Rule(
    code="unparsable-sql",
    title="The script cannot be analysed",
    severity=Severity.BLOCKING,
    group=Group.SCRIPT,
    why="What cannot be parsed cannot be judged: it may be a typing error, a command of psql, or SQL newer than the "
    "parser (PostgreSQL 18). Unknown is never taken for safe.",
    blocks="Not known.",
    help="Correct the SQL at the position given. Backslash commands, :variables and inline COPY data are understood "
    "by psql only and must go.",
    source="the grammar of PostgreSQL 18",
    judge=lambda _: (),
    bad="\\connect shop\nSELECT 1;",
    good="SELECT 1;",
)

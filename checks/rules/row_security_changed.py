"""row-security-changed: from the commit on, the same query shows or changes other rows to the same person."""

from __future__ import annotations

from collections.abc import Iterator

from checks.context import Context, Seen
from checks.finding import Group, Hit, Rule, Severity
from checks.rules._seen import commands, is_new, offset_of, tagged

_FORMS = {
    "AT_EnableRowSecurity": "From the commit on, who does not own {t} sees only the rows that a policy allows: without "
    "a policy, none.",
    "AT_DisableRowSecurity": "From the commit on, no policy of {t} is asked: whoever may read it sees every row.",
    "AT_ForceRowSecurity": "From the commit on, the policies of {t} hold for its owner too.",
    "AT_NoForceRowSecurity": "From the commit on, the policies of {t} no longer hold for its owner.",
}
_POLICIES = {
    "CreatePolicyStmt": "A new policy on {t} decides which rows are seen and written from the commit on.",
    "AlterPolicyStmt": "The changed policy on {t} decides which rows are seen and written from the commit on.",
}


def _judge(context: Context) -> Iterator[Hit]:
    for seen in tagged(context, "AlterTableStmt", "CreatePolicyStmt", "AlterPolicyStmt", "DropStmt"):
        table, told = _told(seen)
        if told and not is_new(seen, table):
            yield Hit(seen.statement, told.format(t=table), offset=offset_of(seen, *_FORMS))


def _told(seen: Seen) -> tuple[str, str]:
    tree = seen.statement.tree
    if tree.tag == "DropStmt":
        if tree.enum("removeType") != "OBJECT_POLICY":
            return "", ""
        table = seen.statement.changes[0].table
        return table, "Without the policy that is dropped, other rows of {t} are seen from the commit on."
    if words := _POLICIES.get(tree.tag, ""):
        return tree.relation("table"), words
    found = next((one.enum("subtype") for one in commands(seen, *_FORMS)), "")
    return tree.relation(), _FORMS.get(found, "")


RULE = Rule(
    code="row-security-changed",
    title="Row security changed",
    severity=Severity.WARNING,
    group=Group.TABLES,
    why="A policy decides without a word which rows a query sees. Nothing fails: lists become shorter, or longer than "
    "they may be. ENABLE ROW LEVEL SECURITY without a policy hides every row from everybody but the owner.",
    blocks="Reads and writes of the table, for a moment.",
    help="Have it reviewed by whoever answers for access. Create the policies first and enable them in the same "
    "transaction. Try it with SET ROLE of the application in staging.",
    source="PostgreSQL manual, section 5.9 Row Security Policies; locks measured on 14 to 18",
    judge=_judge,
    given="CREATE TABLE orders (id bigint PRIMARY KEY, tenant text);",
    bad="ALTER TABLE orders ENABLE ROW LEVEL SECURITY;",
    good="CREATE TABLE invoices (id bigint PRIMARY KEY);\nALTER TABLE invoices ENABLE ROW LEVEL SECURITY;",
)

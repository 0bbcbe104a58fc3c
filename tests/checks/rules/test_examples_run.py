"""A real server runs every example and every suggestion, and locks what the findings say."""

from __future__ import annotations

import re

import psycopg
import pytest

from checks.context import OLDEST_VERSION
from checks.examples import files_of, world_of
from checks.finding import Finding, Group, Rule
from checks.locks import Mode
from checks.report import Report, judge
from checks.rules import RULES, VERIFY_RULES
from tests.checks.rules.expected import ARRIVES_ELSEWHERE, REFUSED
from tests.checks.rules.server import Server, server

__all__ = ["server"]
EVERY_RULE = pytest.mark.parametrize("rule", [*RULES, *VERIFY_RULES], ids=lambda rule: rule.code)

NAME = r'(?!(?:and|or|nor)\b)(?:\w+|"[^"]+")(?:\.(?:\w+|"[^"]+"))*'
NAMES = rf"({NAME}(?:(?:, | and | or ){NAME})*)"
CLAIMS = {
    re.compile(rf"nobody can read or write {NAMES}"): {Mode.ACCESS_EXCLUSIVE},
    re.compile(rf"reads and writes of {NAMES} wait"): {Mode.ACCESS_EXCLUSIVE},
    re.compile(rf"(?:nobody can|nor) write to {NAMES}"): {Mode.SHARE, Mode.SHARE_ROW_EXCLUSIVE, Mode.EXCLUSIVE},
    re.compile(rf"(?<!and )writes to {NAMES} wait"): {Mode.SHARE, Mode.SHARE_ROW_EXCLUSIVE, Mode.EXCLUSIVE},
}
# What a suggestion leaves for later, as a comment.
LATER = re.compile(r"^-- when [^:\n]+: (ALTER .+;)$", re.MULTILINE)


def report_of(rule: Rule, version: int) -> Report:
    return judge(rule.bad, world=world_of(rule, version), style=rule.is_style)


def findings_of(rule: Rule, version: int) -> list[Finding]:
    return [one for one in report_of(rule, version).findings if one.code == rule.code]


def claimed(message: str) -> dict[str, set[Mode]]:
    """Return what a message says about who waits: the modes that stop those, by relation."""
    return {
        name: modes
        for pattern, modes in CLAIMS.items()
        for names in pattern.findall(message)
        for name in re.split(r", | and | or ", names)
    }


@EVERY_RULE
def test_the_examples_run_and_the_bad_one_locks_what_its_finding_says(rule, server):
    report = report_of(rule, server.version)

    with server.having(rule.given):
        if rule.code in REFUSED and findings_of(rule, server.version):
            with pytest.raises(psycopg.Error, match=REFUSED[rule.code]):
                server.measured(rule.bad)
        elif not any(one.outside_transaction or one.transaction_control for one in report.statements):
            measured = server.measured(rule.bad)
            for finding in findings_of(rule, server.version):
                held = measured[finding.statement]
                assert claimed(finding.message) or "; until it is done, " not in finding.message
                for name, modes in claimed(finding.message).items():
                    assert held.get(name) in modes, finding.message
                for lock in report.seen[finding.statement].effects.felt:
                    assert held.get(str(lock.relation), 0) >= lock.mode, lock
        else:
            server.run(rule.bad)
            server.remove()
            server.run(rule.given)
        for file in files_of(rule.good):
            server.run(file)


@EVERY_RULE
def test_what_is_suggested_runs_and_arrives_where_the_statement_wanted_to(rule, server):
    for finding, others in suggestions(rule, server):
        with server.having(rule.given):
            for file in files_of(finding.rewrite):
                server.run(file)
            for statement in (*LATER.findall(finding.rewrite), *others):
                server.run(statement)
            reached = server.shape()
        if is_compared(rule):
            with server.having(rule.given):
                server.run(rule.bad)
                assert reached == server.shape()


def suggestions(rule: Rule, server: Server) -> list[tuple[Finding, list[str]]]:
    """Return the suggestions for the oldest version and the server's own, each once, with the rest of the example."""
    found: dict[str, tuple[Finding, list[str]]] = {}
    for version in (OLDEST_VERSION, server.version):
        report = report_of(rule, version)
        for finding in report.findings:
            if finding.code == rule.code and finding.rewrite and rule.code not in REFUSED:
                others = report.statements if is_compared(rule) else ()
                found[finding.rewrite] = finding, [one.sql for one in others if one.index != finding.statement]
    return list(found.values())


def is_compared(rule: Rule) -> bool:
    """True for suggestions that lead, file by file, to what the statement did at once."""
    return rule.group in {Group.COLUMNS, Group.CONSTRAINTS} and rule.code not in ARRIVES_ELSEWHERE


def test_names_in_messages_are_read_as_they_are_written():
    assert claimed(
        'Until it is done, nobody can read or write ledger, "Order" or sales.users, nor write to audit.'
    ) == {
        "ledger": {Mode.ACCESS_EXCLUSIVE},
        '"Order"': {Mode.ACCESS_EXCLUSIVE},
        "sales.users": {Mode.ACCESS_EXCLUSIVE},
        "audit": {Mode.SHARE, Mode.SHARE_ROW_EXCLUSIVE, Mode.EXCLUSIVE},
    }

"""Sqitch: the plan with its dependencies and tags, reworked copies, scripts that bring their own transaction."""

from __future__ import annotations

import hashlib

import pytest

from checks.layouts.sqitch import Sqitch
from tests.checks.layouts.samples import fitting, not_analysed, refusal, statements

LAYOUT = Sqitch()
AT = "2026-11-22T20:15:54Z A B <a@b.c>"
HEAD = "%syntax-version=1.0.0\n%project=flip\n%uri=https://x.org/flip/\n\n"


def project(*lines: str, **scripts: str) -> dict[str, bytes]:
    """Return a plan with these lines, and empty scripts for all changes that are not given."""
    plan = HEAD + "".join(f"{line}\n" for line in lines)
    names = [line.split()[0] for line in lines if line and not line.startswith(("@", "#"))]
    return {
        "sqitch.plan": plan.encode(),
        **{f"deploy/{name}.sql": b"" for name in names},
        **{name: text.encode() for name, text in scripts.items()},
    }


def test_the_order_is_that_of_the_plan_and_every_script_is_found():
    files = project(
        f"users {AT} # Users", "", "# a comment", f"sub/orders [users] {AT} # Orders", f"@v1 {AT}", f"a {AT}"
    )
    files |= {"revert/users.sql": b"R", "verify/users.sql": b"V", "sqitch.conf": b"", "smoke.sql": b""}

    found = LAYOUT.read(files)

    assert [one.name for one in found] == ["users", "sub/orders", "a"]
    assert (found[0].rollback, found[0].verify) == (b"R", b"V")
    assert found[0].paths == {
        "forward": "deploy/users.sql",
        "rollback": "revert/users.sql",
        "verify": "verify/users.sql",
    }
    assert (found[1].rollback, found[1].verify) == (None, None)


def test_a_reworked_change_has_the_file_of_the_first_tag_that_there_is_one_for_and_keeps_its_name():
    lines = [f"users {AT}", f"@v1 {AT}", f"a {AT}", f"@v2 {AT}", f"users [users@v2] {AT}"]
    files = project(*lines) | {"deploy/users.sql": b"new"}

    newest_tag = LAYOUT.read(files | {"deploy/users@v2.sql": b"old"})
    first_tag = LAYOUT.read(files | {"deploy/users@v1.sql": b"old"})

    for found in (newest_tag, first_tag):
        assert [(one.name, one.forward) for one in found] == [("users", b"old"), ("a", b""), ("users#2", b"new")]
    assert refusal(LAYOUT, files).code == "forward-missing"


def test_of_two_copies_that_of_the_latest_tag_is_the_changes():
    # users@v1.sql is nobody's then, and Sqitch would pass it over.
    lines = [f"users {AT}", f"@v1 {AT}", f"a {AT}", f"@v2 {AT}", f"users {AT}"]
    copies = {"deploy/users@v1.sql": b"", "deploy/users@v2.sql": b""}

    error = refusal(LAYOUT, project(*lines) | copies)

    assert error.code == "unrecognised-file"
    assert str(error).startswith("deploy/users@v1.sql ")


def test_identities_and_checksums_are_those_sqitch_itself_has_in_its_registry():
    # Written by Sqitch 1.3.1: `sqitch plan --format '%H %n'` on this very plan.
    at = "2026-11-22T20:15:{}Z A B <a@b.c>"
    files = project(
        f'users {at.format(54)} # Add users # hash \\n "q" ü',
        f"sub/orders [users] {at.format(54)} # Orders",
        f"@v1 {at.format(55)} # Tag",
        f"c [users@v1 flip:users ext:thing !nope] {at.format(55)} # x",
    )

    assert [one.identity for one in LAYOUT.read(files)] == [
        "48b01f93b4c24736b807e7143095a33ef5b625ad",
        "e0cb02f7c00bd0b78315d293b68f1bb31ac269e2",
        "9aac0722dae7c286e1dc2f592d88b92862bdd071",
    ]
    assert LAYOUT.checksum(b"SELECT 1;\r\n") == hashlib.sha1(b"SELECT 1;\r\n", usedforsecurity=False).hexdigest()


def test_a_script_with_its_own_begin_and_commit_is_one_transaction_on_the_lines_of_its_file():
    text = "-- Deploy\nBEGIN;\n\nCREATE TABLE t (a int);\nCOPY t FROM stdin;\nBEGIN; '\n\\.\n\\echo done\nCOMMIT;\n"
    files = project(f"users {AT}") | {
        "deploy/users.sql": text.encode(),
        "revert/users.sql": b"DROP TABLE t;",
        "verify/users.sql": b"BEGIN;\nSELECT 1/0;\nROLLBACK;",
    }

    (migration,) = LAYOUT.read(files)

    assert migration.is_transactional is True
    assert migration.is_rollback_transactional is False
    assert migration.forward == text.encode()
    assert statements(LAYOUT, migration) == [(4, "CREATE TABLE t (a int)"), (5, "COPY t FROM stdin")]
    assert statements(LAYOUT, migration, "verify") == [(2, "SELECT 1/0")]


def test_a_script_with_two_transactions_keeps_its_words():
    text = b"BEGIN; SELECT 1; COMMIT;\nBEGIN; SELECT 2; COMMIT;"
    (migration,) = LAYOUT.read(project(f"users {AT}") | {"deploy/users.sql": text})

    assert migration.is_transactional is False
    assert [sql for _, sql in statements(LAYOUT, migration)].count("COMMIT") == 2


def test_a_script_that_includes_another_one_is_not_analysed():
    (migration,) = LAYOUT.read(project(f"users {AT}") | {"deploy/users.sql": b"SELECT 1;\n\\ir other.sql\n"})

    line, problem = not_analysed(LAYOUT, migration)

    assert line == 2
    assert "\\ir" in problem


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        ([f"a [b] {AT}", f"b {AT}"], 5),  # required before it is planned
        ([f"a {AT}", f"b [a@v1] {AT}", f"@v1 {AT}"], 6),
        ([f"@v1 {AT}", f"a {AT}"], 5),
        ([f"a {AT}", f"@v1 {AT}", f"@v1 {AT}"], 7),
        ([f"a {AT}", f"a {AT}"], 6),
        (["a"], 5),
        (["a 2026-11-22 A B <a@b.c>"], 5),
        ([f"-a {AT}"], 5),
        ([f"a [b:] {AT}"], 5),
        (["<<<<<<< HEAD", f"a {AT}"], 5),
    ],
)
def test_a_plan_that_sqitch_refuses_is_refused_with_its_line(lines, line):
    error = refusal(LAYOUT, project(*lines))

    assert (error.code, error.line) == ("sqitch-plan-unreadable", line)


def test_what_other_projects_have_and_what_must_not_be_there_is_not_asked_for():
    (migration,) = LAYOUT.read(project(f"a [other:b !c {'0' * 40}] {AT}"))

    assert migration.name == "a"


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"sqitch.plan": b"%project=x\nusers\n"}, "sqitch-plan-unreadable"),
        ({"sqitch.plan": b"%syntax-version=1.0.0\n\n"}, "sqitch-plan-unreadable"),
        ({"sqitch.plan": HEAD.encode()}, "no-migrations"),
        ({"deploy/a.sql": b""}, "no-migrations"),
        ({"sqitch.plan": f"{HEAD}a {AT}\n".encode()}, "forward-missing"),
        (project(f"a {AT}") | {"deploy/b.sql": b""}, "unrecognised-file"),
        (project(f"a {AT}") | {"deploy/a.sql": b"\xff"}, "not-utf-8"),
        ({"sqitch.plan": b"\xff"}, "not-utf-8"),
    ],
)
def test_files_that_make_no_sense_are_refused(files, code):
    assert refusal(LAYOUT, files).code == code


def test_line_ends_and_marks_of_other_systems_change_nothing():
    files = project(f"a {AT} # note")
    plan = files["sqitch.plan"]

    for other in (plan.replace(b"\n", b"\r\n"), b"\xef\xbb\xbf" + plan):
        assert LAYOUT.read(files | {"sqitch.plan": other}) == LAYOUT.read(files)
    assert fitting(files) == ["sqitch"]

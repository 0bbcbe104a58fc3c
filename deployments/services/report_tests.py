"""Taking down what CI says of the application's tests on a commit."""

import re

from django.db import transaction

from deployments.actors import Actor
from deployments.authority import Action, require
from deployments.errors import DeploymentError
from deployments.models import Application, CommitTests
from deployments.models.commit_tests import COMMIT
from deployments.services.audit import record

LONGEST_ADDRESS = 500
_ADDRESS = re.compile(r"https?://[^\s/?#@]+([/?#]\S*)?")  # no user and no password: it is shown and kept


class CommitNotWhole(DeploymentError):
    """What was given is not the whole name of a commit."""

    code = "commit-not-whole"

    def __init__(self, *, commit: str) -> None:
        super().__init__(
            f"{commit!r} is not the whole name of a commit. Nothing was recorded. "
            "Give its 40 hexadecimal digits, as git rev-parse HEAD prints them."
        )


class AddressUnusable(DeploymentError):
    """The address of a result is none that a page may lead to."""

    code = "result-address-unusable"

    def __init__(self) -> None:
        super().__init__(
            f"The address of the result is not used. Nothing was recorded. Give one that begins with https://, has at "
            f"most {LONGEST_ADDRESS} characters, and neither a user nor a password in it."
        )


def report_tests(
    application: Application, *, commit: str, passed: bool, url: str = "", reason: str = "", actor: Actor
) -> CommitTests:
    """Record whether the application's tests passed on a commit, and return that. The newest report counts.

    A commit that was never synced is taken too: CI is often quicker.
    Raises NotAllowed, CommitNotWhole, AddressUnusable.
    """
    reporter = require(actor, Action.REPORT_TESTS, application)
    name = commit.strip().lower()
    if not re.fullmatch(COMMIT, name):
        raise CommitNotWhole(commit=commit[:80])
    if url and (len(url) > LONGEST_ADDRESS or not _ADDRESS.fullmatch(url) or not url.isprintable()):
        raise AddressUnusable
    with transaction.atomic():
        told = CommitTests.objects.create(
            application=application,
            commit=name,
            passed=passed,
            url=url,
            reason=reason.strip(),
            reported_by=reporter,
        )
        after = {"commit": name, "passed": passed, "url": url}
        record(actor, "tests.reported", application, after=after, reason=told.reason)
    return told

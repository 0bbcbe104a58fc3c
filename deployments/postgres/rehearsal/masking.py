"""Masking the data of a clone before anything else reads it, by a script that its team wrote."""

from collections.abc import Callable

from checks.errors import CheckError
from checks.words import counted
from deployments.errors import DeploymentError
from deployments.postgres.connect import Target
from deployments.postgres.rehearsal.databases import Databases
from deployments.postgres.rehearsal.play import STATEMENT_TIMEOUT
from deployments.postgres.rehearsal.scripts import rehearsed
from deployments.postgres.rehearsal.sending import Refused, Sender

NAME = "masking.sql"


class MaskingFailed(DeploymentError):
    """The script that masks the data of a clone could not be run."""

    code = "masking-failed"

    def __init__(self, *, why: str) -> None:
        super().__init__(
            f"The data of the clone was not masked: {why.rstrip('.')}. Nothing else read it, and it was dropped. "
            f"Correct {NAME}, sync, and ask for the rehearsal again."
        )


def mask(databases: Databases, clone: str, text: str, *, owner_role: str, tell: Callable[[str], None]) -> str:
    """Run a masking script on a clone as the owner of its objects, and return what it did, in words without a value.

    Raises MaskingFailed for one that cannot be read, reaches beyond the clone, or is refused by the server, and what
    opening a session raises.
    """
    try:
        script = rehearsed(NAME, forward=text, rollback=None)
    except CheckError as unreadable:
        raise MaskingFailed(why=str(unreadable)) from unreadable
    if script.beyond:
        raise MaskingFailed(why=script.beyond[0])
    tell("Masking the data of the clone")
    server = databases.server
    sender = Sender(databases, Target(0, server.name, server.connection, owner_role), STATEMENT_TIMEOUT)
    try:
        sender.send(clone, script.forward, is_traced=True)
    except Refused as refused:
        raise MaskingFailed(why=str(refused)) from refused
    rows = sum(one.rows or 0 for one in sender.traced)
    digest = script.forward.entry.script_sha256[:12]
    done = counted(len(sender.traced), "statement")
    return f"{NAME} ({digest}) ran first: {done}, {rows:,} rows. What it changed is no difference"

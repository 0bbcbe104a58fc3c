"""Why a run is not planned, apart from what the plan itself refuses."""

import re
from collections.abc import Sequence
from dataclasses import replace

from checks.finding import Finding
from checks.layouts.split_names import split_paths
from deployments.errors import DeploymentError
from deployments.planning import SPLIT

_FILE = re.compile(r"^-- file \d+(?=, )", re.MULTILINE)


def written_out(blocking: Sequence[tuple[str, Finding]], layout: str) -> list[tuple[str, Finding]]:
    """Return what forbids a plan, with the files of a split called as the layout's tool would apply them in order."""
    told = []
    for name, one in blocking:
        if one.code == SPLIT and one.rewrite:
            pieces = _FILE.split(one.rewrite)
            paths = split_paths(layout, name, len(pieces) - 1)
            named = (f"-- {path}{piece}" for path, piece in zip(paths, pieces[1:], strict=True))
            one = replace(one, rewrite=pieces[0] + "".join(named))  # noqa: PLW2901 # the same, with names
        told.append((name, one))
    return told


class ReasonMissing(DeploymentError):
    """A run was asked for without a reason."""

    code = "reason-missing"

    def __init__(self) -> None:
        super().__init__("A run needs a reason, for the people who approve it. Nothing was planned. Give one.")


class NoRelease(DeploymentError):
    """The application was never synced."""

    code = "no-release"

    def __init__(self, *, application: str) -> None:
        super().__init__(f"{application} has no release yet. Nothing was planned. Run: manage.py sync {application}")


class AlreadyOpen(DeploymentError):
    """The same plan is open already."""

    code = "run-already-open"

    def __init__(self, *, number: int) -> None:
        super().__init__(
            f"Run #{number} is open with the same plan. Nothing was planned again. Go on with that one, or cancel it."
        )


class AlreadyRequested(DeploymentError):
    """The same form was sent twice."""

    code = "already-requested"

    def __init__(self, *, number: int) -> None:
        super().__init__(f"This request made run #{number} already. Nothing was planned again. Open that run.")


class NotSuperseded(DeploymentError):
    """A successor was asked for a run that is not superseded."""

    code = "not-superseded"

    def __init__(self, *, number: int) -> None:
        super().__init__(
            f"Run #{number} is no deploy run that was superseded. Nothing was planned. Ask for a new run instead."
        )


class NothingToRevert(DeploymentError):
    """The run applied nothing that could be rolled back."""

    code = "nothing-to-revert"

    def __init__(self, *, number: int, by: str = "") -> None:
        told = f"It was rolled back by run {by}." if by else "Look at its page for what it has done."
        super().__init__(f"Run #{number} has nothing applied that could be rolled back. Nothing was planned. {told}")


class NotByItself(DeploymentError):
    """A way back that the policy wants to begin by itself is one that a person decides about."""

    code = "not-by-itself"

    def __init__(self, *, number: int, why: str) -> None:
        super().__init__(
            f"Run #{number} is not rolled back by itself: {why} Nothing was planned. Look at its ways back, and decide."
        )


class NotOnTop(DeploymentError):
    """Later migrations stand on those that would be rolled back."""

    code = "not-on-top"

    def __init__(self, *, names: Sequence[str], number: int, runs: Sequence[str] = ()) -> None:
        first = f"Roll back {', then '.join(f'run {one}' for one in runs)} first." if runs else (
            "Roll those back first, latest first."
        )  # fmt: skip
        super().__init__(
            f"After those of run #{number} these were applied: {', '.join(names)}. Nothing was planned. {first}"
        )


class DraftMoved(DeploymentError):
    """What would run is no longer what the person saw."""

    code = "draft-moved"

    def __init__(self, *, environment: str) -> None:
        super().__init__(
            f"What would run on {environment} is no longer what you saw: the scripts, the databases or the policy are "
            "others now. Nothing was planned. Read it again, then press."
        )

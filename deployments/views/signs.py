"""The sign of every state and class: a shape, a word and a colour, so that none of them says it alone."""

from dataclasses import dataclass

from checks.finding import Severity
from checks.risk import Risk
from deployments.models import Environment
from deployments.states import JobState, RunState, StepState

UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Sign:
    """How a state looks: `kind` is the colour's class in the style sheet, `icon` a symbol of the sprite."""

    kind: str
    icon: str
    word: str

    @property
    def is_unknown(self) -> bool:
        """Whether we do not know: then its edge is dashed, and it is never red, green or amber."""
        return self.kind == UNKNOWN or self.icon == "ruler"

    @property
    def spins(self) -> bool:
        """Whether something moves right now."""
        return self.icon in {"loader-circle", "rotate-ccw"}


SIGNS: dict[str, Sign] = {
    RunState.AWAITING: Sign("wait", "hand", "Waiting for approval"),
    RunState.QUEUED: Sign("idle", "circle-dashed", "Queued"),
    RunState.RUNNING: Sign("run", "loader-circle", "Running"),
    RunState.NEEDS_ATTENTION: Sign(UNKNOWN, "unknown", "Needs attention"),
    RunState.SUCCEEDED: Sign("ok", "circle-check", "Succeeded"),
    RunState.FAILED: Sign("fail", "octagon-x", "Failed"),
    RunState.CANCELLED: Sign("idle", "ban", "Cancelled"),
    RunState.REJECTED: Sign("idle", "user-x", "Rejected"),
    RunState.SUPERSEDED: Sign("idle", "replace", "Superseded"),
    StepState.PENDING: Sign("idle", "circle-dashed", "Not started"),
    StepState.INTERRUPTED: Sign(UNKNOWN, "unplug", "Interrupted"),
    StepState.SKIPPED: Sign("idle", "skip-forward", "Skipped"),
    # derived: no row holds these
    "ready": Sign("run", "play", "Ready to start"),
    "waiting": Sign("wait", "hand", "Waiting"),
    "waiting-for-lock": Sign("wait", "lock-keyhole", "Waiting for lock"),
    "waiting-for-others": Sign("wait", "hourglass", "Waiting for others"),
    "slow": Sign("run", "timer", "Slow, alive"),
    "waiting-for-window": Sign("idle", "hourglass", "Waiting for window"),
    "pausing": Sign("wait", "pause", "Pausing"),
    "paused": Sign("idle", "pause", "Paused"),
    "cancelling": Sign("wait", "circle-stop", "Cancelling"),
    "rolling-back": Sign("back", "rotate-ccw", "Rolling back"),
    "rolled-back": Sign("back", "undo-2", "Rolled back"),
    "lost-executor": Sign(UNKNOWN, "unplug", "Lost executor"),
    "silent": Sign("wait", "unplug", "Silent"),
    "drift": Sign("wait", "file-diff", "Drift"),
    "back-door": Sign("wait", "triangle-alert", "Changed by others"),
    "not-reached": Sign("idle", "skip-forward", "Not reached"),
    "not-measured": Sign("idle", "ruler", "Not measured"),
    "not-asked": Sign("idle", "circle-minus", "Not asked"),
    "healthy": Sign("ok", "circle-check", "Healthy"),
    "unhealthy": Sign("fail", "octagon-x", "Unhealthy"),
    "noted": Sign("idle", "info", "Noted"),
    "passed": Sign("ok", "circle-check", "Passed"),
    "kept": Sign("ok", "circle-check", "Kept"),
    "not-kept": Sign("fail", "octagon-x", "Not kept"),
    "proven": Sign("ok", "circle-check", "Proven"),
    "not-proven": Sign("fail", "octagon-x", "Not proven"),
    "aged": Sign("idle", "history", "Aged"),
}
"""By the state as it is stored, or by a name of what a page derives from states."""

FINDINGS: dict[str, Sign] = {
    Severity.BLOCKING: Sign("fail", "octagon-x", "Blocking"),
    Severity.WARNING: Sign("wait", "triangle-alert", "Warning"),
    Severity.NOTE: Sign("idle", "info", "Note"),
}

RISKS: dict[str, tuple[int, str]] = {
    Risk.SAFE: (1, "Safe"),
    Risk.CONTROLLED: (2, "Controlled"),
    Risk.HIGH: (3, "High-risk"),
}
"""A scale, not a traffic light: how many of three bars are filled, and the word."""

STORED = frozenset({*RunState.values, *JobState.values, *StepState.values})


def sign_of(state: object) -> Sign:
    """Return the sign of a state. What has none of its own is shown as unknown, with its own word."""
    name = str(state)
    return SIGNS.get(name) or Sign(UNKNOWN, "unknown", name.replace("_", " ").replace("-", " ").capitalize())


def look_of(environment: Environment) -> str:
    """Return how the bar of an environment looks: production is whatever is protected."""
    if environment.is_protected:
        return "production"
    return "development" if environment.slug in {"dev", "development", "local", "test"} else "staging"

"""The living style guide: every component in every state, while DEBUG. Tests walk it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.http import Http404, HttpResponse
from django.utils.timezone import now
from django.views.decorators.http import require_safe

from deployments.models import Application, Environment
from deployments.selectors.judgement import PHASES, About
from deployments.views.base import PageRequest, page
from deployments.views.forms import ConfirmForm
from deployments.views.schema import Shown, ShownDifference
from deployments.views.signs import FINDINGS, RISKS, SIGNS, STORED
from deployments.views.sparkline import Sparkline, sparkline
from deployments.views.sql import Mark

REWARDS = Application(slug="rewards", name="Rewards")
ENVIRONMENTS = [
    Environment(application=REWARDS, slug="production", name="Production", application_version="5c0e7b2"),
    Environment(application=REWARDS, slug="staging", name="Staging", is_protected=False, application_version="9f2c1e4"),
    Environment(application=REWARDS, slug="development", name="Development", is_protected=False),
]
SCRIPT = """-- points keep their tier
ALTER TABLE point_ledger
  ADD CONSTRAINT point_ledger_business_fk
  FOREIGN KEY (business_id) REFERENCES businesses (id);
ALTER TABLE users DROP COLUMN legacy_points;
UPDATE businesses SET tier_note = 'gold' WHERE tier_code = 3;
"""
REWRITE = """ALTER TABLE point_ledger ADD CONSTRAINT point_ledger_business_fk
  FOREIGN KEY (business_id) REFERENCES businesses (id) NOT VALID;
"""
DIFFERENCE = """ TABLE public.transactions
   amount        numeric(12,2) NOT NULL
+  amount_cents  bigint
-  INDEX transactions_amount_idx (amount)
+  CONSTRAINT transactions_amount_cents_nn CHECK (amount_cents IS NOT NULL)
"""
CHANGES = ShownDifference(
    (
        Shown("index public.transactions_amount_idx", "removed", "- index transactions_amount_idx: (amount)"),
        Shown("table public.coupons", "added", "+ table public.coupons\n+ column id: type: integer"),
        Shown("table public.transactions", "changed", "- column amount, default: 0\n+ column amount, default: 1"),
    ),
    (Shown("table public.users", "moved", "- column order: id, name, note\n+ column order: id, note, name"),),
    more=4,
    counts="2 added, 1 removed, 4 changed",
)
LOCKS = (
    {
        "relation": "point_ledger", "mode": "SHARE ROW EXCLUSIVE", "blocks": "writes", "because": "",
        "cost": "checks the keys of 1.9 GB of point_ledger: nobody writes it for 3 s to 14 s",
    },
    {
        "relation": "businesses", "mode": "SHARE ROW EXCLUSIVE", "blocks": "writes",
        "because": "a new foreign key of point_ledger refers to it", "cost": "nobody writes businesses for 3 s to 14 s",
    },
)  # fmt: skip
QUIET = (
    {
        "relation": "transactions", "mode": "ROW EXCLUSIVE", "blocks": "writes to the same rows, DDL and index builds",
        "because": "",
        "cost": "changes every row of transactions (about 8,410,000 in all) for 2 min to 10 min; "
        "reads and writes go on",
    },
)  # fmt: skip
RECIPE = """-- file 1
ALTER TABLE point_ledger ADD CONSTRAINT point_ledger_note_not_null CHECK (note IS NOT NULL) NOT VALID;
-- file 2
ALTER TABLE point_ledger VALIDATE CONSTRAINT point_ledger_note_not_null;
"""
ABOUT = About(
    phase=PHASES["contract"],
    words="it takes away or forbids what old code may use",
    is_compatible=False,
    breaks=({"line": 5, "what": "column legacy_points of users is gone"},),
    review=(
        {"title": "Migration present", "outcome": "met", "words": "3 statements.", "evidence": ()},
        {"title": "Rollback present and complete", "outcome": "not met", "words": "It does not bring everything back.",
         "evidence": ("users.legacy_points does not come back",)},
        {"title": "Tests of the application", "outcome": "not known", "words": "Not reported.", "evidence": ()},
    ),
    split=(
        {"title": "users", "lines": (5,), "text": "ALTER TABLE users DROP COLUMN legacy_points;\n", "is_alone": False},
        {"title": "businesses", "lines": (9,), "text": "COMMENT ON TABLE businesses IS 'x';\n", "is_alone": False},
    ),
)  # fmt: skip
BEGAN = datetime(2026, 11, 19, 3, 14, 2, 488_000, tzinfo=UTC)
SAID = (
    "batch 841 · rows 8 400 001 to 8 410 000 · 569 ms · wal 2.1 MB",
    "batch 842 started · rows 8 410 001 to 8 420 000",
    "guard: blocked 0 · oldest blocked 0.00 s · waits for nothing",
    "slow: SELECT id, amount FROM transactions WHERE amount_cents > $1 AND business_id = $2 ORDER BY id LIMIT 100",
)
RAIL = (
    ("preflight", "succeeded", "14 of 14 · 0:06"),
    ("backup", "succeeded", "31.2 GB · 5:41"),
    ("checks", "skipped", "none written"),
    ("migrate", "running", "migration 2 of 3 · 8:08"),
    ("checks", "pending", "after migrate"),
    ("smoke", "pending", "3 probes"),
    ("health", "pending", "3 probes, 10 s apart"),
    ("watch", "pending", "10 min"),
)
FAILED_RAIL = (
    ("preflight", "succeeded", "14 of 14 · 0:06"),
    ("keep", "interrupted", "attempt 1"),
    ("migrate", "failed", "stopped by the guard · 3:52"),
    ("checks", "not-reached", ""),
    ("health", "not-reached", ""),
)


@dataclass(frozen=True, slots=True)
class LogLine:
    """A line of a log, as a step has it."""

    number: int
    at: datetime
    line: str


class Decision(ConfirmForm):
    """The form of an approval, with everything a form can have."""

    comment = forms.CharField(
        widget=forms.Textarea(attrs={"rows": 2}), required=False, label="Comment", help_text="Needed to reject."
    )
    loss = forms.BooleanField(label="I accept the loss of 4 180 212 values of users.legacy_points.")


class Filters(forms.Form):
    """The filters of a list."""

    environment = forms.ChoiceField(choices=[("", "all"), ("production", "production")], required=False)
    state = forms.ChoiceField(choices=[("", "all"), ("failed", "failed")], label="End", required=False)
    since = forms.DateField(label="From, UTC", required=False)


def forms_shown() -> dict[str, forms.Form]:
    """Return the forms: one untouched, one refused, and filters with a fault."""
    typed = {"confirm": "rewards_staging", "comment": "Looks right", "request_key": "nonsense"}
    return {
        "decision": Decision(target="rewards_prod", verb="approve", auto_id="decide_%s"),
        "refused": Decision(typed, target="rewards_prod", verb="approve", auto_id="refused_%s"),
        "filters": Filters({"environment": "production", "since": "yesterday"}, auto_id="filter_%s"),
    }


def course() -> Sparkline:
    """Return a drawing of ten minutes, with a gap of half a minute."""
    values = [
        (BEGAN + timedelta(seconds=5 * place), None if 60 <= place < 66 else 212.0 + (place * 7) % 23)  # noqa: PLR2004
        for place in range(120)
    ]
    return sparkline(values, level=212.0, spans=[(BEGAN + timedelta(minutes=4), None)])


@require_safe
def styleguide(request: PageRequest) -> HttpResponse:
    """Show every component. Raises Http404 where DEBUG is off."""
    if not settings.DEBUG:
        raise Http404
    lines = [
        LogLine(2209 + place, BEGAN + timedelta(milliseconds=580 * place), said) for place, said in enumerate(SAID)
    ]
    context: dict[str, Any] = {
        "stored": sorted(STORED, key=list(SIGNS).index),
        "derived": [state for state in SIGNS if state not in STORED],
        "risks": list(RISKS),
        "severities": list(FINDINGS),
        "locks": LOCKS,
        "quiet": QUIET,
        "recipe": RECIPE,
        "about": ABOUT,
        "environments": ENVIRONMENTS,
        "script": SCRIPT,
        "rewrite": REWRITE,
        "difference": DIFFERENCE,
        "changes": CHANGES,
        "server": 'FATAL: 28P01: password authentication failed for user "locktender_guard"',
        "marks": [Mark(3, 4, "wait"), Mark(5, 5, "fail")],
        "lines": lines,
        "rails": [RAIL, FAILED_RAIL],
        "digest": "7c1e09b7d2f34c1188a6e5502f9d3ab0c4471e6f25d98b3370ac61fe1b52a90b",
        "began": BEGAN,
        "course": course(),
        "no_course": Sparkline(),
        "just_now": now() - timedelta(seconds=2),
        **forms_shown(),
    }
    return page(request, "styleguide/styleguide", context)

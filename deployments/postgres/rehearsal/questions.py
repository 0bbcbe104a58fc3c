"""Asking the verify scripts of the migrations on a copy, before the first and after the last of them."""

from collections.abc import Sequence

from checks.integrity.questions import Check, Form
from checks.integrity.verdicts import Answer, Refusal, Verdict, judge_after
from deployments.postgres.connect import Session, Target
from deployments.postgres.privileges import become_owner
from deployments.postgres.rehearsal.databases import Databases
from deployments.postgres.rehearsal.scripts import Rehearsed
from deployments.postgres.verify import SETTINGS, answer


class Questions:
    """What is asked, and the answers from before that later ones are compared with."""

    def __init__(self, databases: Databases, target: Target, migrations: Sequence[Rehearsed]) -> None:
        self._databases, self._target = databases, target
        self._asked = [(one.name, check) for one in migrations for check in one.checks]
        self._before: dict[tuple[str, int], Answer] = {}

    def ask_before(self, state: str) -> None:
        """Note the answers that are to be unchanged. One that cannot be given yet is none."""
        wanted = [(name, check) for name, check in self._asked if check.form is Form.UNCHANGED]
        for name, check, given in self._answers(state, wanted):
            if isinstance(given, Answer):
                self._before[name, check.number] = given

    def failures_after(self, state: str) -> list[str]:
        """Return a sentence for each check that fails."""
        found = []
        for name, check, given in self._answers(state, self._asked):
            judged = judge_after(check, given, before=self._before.get((name, check.number)), is_removed_later=True)
            if judged.verdict is Verdict.FAILED:
                found.append(f"verify script of {name}, line {check.line}: {judged.detail.rstrip('.')}")
        return found

    def _answers(self, state: str, wanted: Sequence[tuple[str, Check]]) -> list[tuple[str, Check, Answer | Refusal]]:
        if not wanted:
            return []
        with self._databases.session(state) as opened:
            return [(name, check, self._ask(opened, check)) for name, check in wanted]

    def _ask(self, opened: Session, check: Check) -> Answer | Refusal:
        opened.execute(SETTINGS)
        become_owner(opened, self._target)
        with opened.transaction(force_rollback=True):
            opened.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            return answer(opened, check)

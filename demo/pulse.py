"""Whether an application answers, asked again and again while something is done to its database."""

import threading
import time
from collections.abc import Callable
from itertools import pairwise
from types import TracebackType
from typing import Self

from demo.teller import StoryBroken

PAUSE_SECONDS = 0.05
PATIENCE_SECONDS = 60
BIN_SECONDS = 0.5  # one sign of a line
FULL_SECONDS = 2.0  # is drawn as high as it goes
SIGNS = "▁▂▃▄▅▆▇█"
MOST_SIGNS = 60
HEALTHY = 200


class Pulse:
    """Asks an application how it is for the length of a `with` block. Only a healthy answer counts as one."""

    def __init__(self, ask: Callable[[], dict[str, object]]) -> None:
        """Take what asks; its answer has the status under `http`. Nothing is asked yet."""
        self._ask = ask
        self.answers: list[float] = []  # when each healthy one came, by the monotonic clock
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> Self:
        """Begin, and return after the first healthy answer. Raises StoryBroken if none comes."""
        self._thread.start()
        self._wait_for_another()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop, after one more healthy answer if nothing went wrong. Raises StoryBroken if none comes."""
        if error is None:
            self._wait_for_another()
        self._ended.set()
        self._thread.join()

    @property
    def longest(self) -> float:
        """For how long there was no healthy answer, at most, in seconds."""
        return max((gap for _, gap in self._gaps()), default=0.0)

    def line(self) -> str:
        """Return the last half minute as a line: a sign for each half second, high where nobody was answered."""
        if not self.answers:
            return ""
        began, worst = self.answers[0], [0.0] * (int((self.answers[-1] - self.answers[0]) / BIN_SECONDS) + 1)
        for at, gap in self._gaps():
            for place in range(int((at - began) / BIN_SECONDS), int((at + gap - began) / BIN_SECONDS) + 1):
                worst[place] = max(worst[place], gap)
        last = len(SIGNS) - 1
        return "".join(SIGNS[min(last, int(gap / FULL_SECONDS * last))] for gap in worst[-MOST_SIGNS:])

    def _gaps(self) -> list[tuple[float, float]]:
        """Return for each answer but the last when it came, and how long after it the next one did."""
        answers = list(self.answers)
        return [(one, after - one) for one, after in pairwise(answers)]

    def _wait_for_another(self) -> None:
        until, count = time.monotonic() + PATIENCE_SECONDS, len(self.answers)
        while len(self.answers) == count:
            if time.monotonic() > until:
                self._ended.set()
                raise StoryBroken(f"The application has not been healthy for {PATIENCE_SECONDS} s.")
            time.sleep(PAUSE_SECONDS)

    def _go_on(self) -> None:
        while not self._ended.is_set():
            if self._ask().get("http") == HEALTHY:
                self.answers.append(time.monotonic())
            self._ended.wait(PAUSE_SECONDS)

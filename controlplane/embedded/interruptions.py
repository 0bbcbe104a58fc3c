"""Ctrl-C, SIGTERM and a closed terminal: an orderly way out that never cuts a start or a stop in half."""

import signal
import threading
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_DEFAULTS = (signal.SIG_DFL, signal.default_int_handler)


class Interruptions:
    """Turns the signals into exceptions: KeyboardInterrupt for SIGINT, SystemExit with 128 + number for the others.

    While held, a signal is only remembered. A signal for which the program has its own handler, or which it
    ignores (as under nohup), is left alone, and so are all of them outside the main thread, where none
    arrive.
    """

    def __init__(self) -> None:
        """Prepare; the handlers are installed by `install`."""
        self._previous: dict[signal.Signals, signal.Handlers | object] = {}
        self._held = False
        self._pending: int | None = None

    def install(self) -> None:
        """Install the handlers, held."""
        self._held = True
        if threading.current_thread() is not threading.main_thread():
            return
        for number in _SIGNALS:
            if signal.getsignal(number) in _DEFAULTS:
                self._previous[number] = signal.signal(number, self._arrived)

    def hold(self) -> None:
        """From now on only remember."""
        self._held = True

    def resume(self) -> None:
        """Raise what arrived while held, if anything did, and from now on raise at once."""
        self._held = False
        self._raise_pending()

    def remove(self) -> None:
        """Give the signals back, then raise what arrived while held."""
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # it is what signal.signal() returned
        self._previous.clear()
        self._raise_pending()

    def _arrived(self, number: int, _frame: FrameType | None) -> None:
        self._pending = number
        if not self._held:
            self._raise_pending()

    def _raise_pending(self) -> None:
        number, self._pending = self._pending, None
        if number is None:
            return
        self._held = True  # a second Ctrl-C must not cut short the stop that this one begins
        if number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + number)

"""A whole answer as it was given: told again, byte for byte, where everything it depends on is as it was.

That is the call, what standard output is, the version of the checks, and everything that was looked at in the folder.
Nothing is imported for it but what the system's own calls need: this is what makes a second call quick.
"""

from __future__ import annotations

import os
import sys

from checks.project import kept, looking

# Imported for the sake of types only, as in checks.project.looking.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final

_VALUED: Final = frozenset({"--layout", "--pg", "--format", "--fail-on"})
_BARE: Final = frozenset({"--style"})
# Written out or not, it is the same question.
_USUAL: Final = {"--layout": "auto", "--format": "text", "--fail-on": "high-risk"}
# What Rich asks before it prints.
_TERMINAL: Final = ("COLORTERM", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR", "TERM", "TTY_COMPATIBLE",
                    "TTY_INTERACTIVE", "UNICODE_VERSION")  # fmt: skip
_HEAD: Final = 60  # bytes; three numbers are shorter
_BETWEEN: Final = b"\0\0"


class Call:
    """One call about a folder, with nothing in it that depends on more than the folder. `file` is where it is kept.

    `options` are those that are written out, each by its name with the dashes; one that has no value has "".
    """

    def __init__(self, path: str, options: dict[str, str], file: str) -> None:
        """Name the file."""
        self.path, self.options, self.file = path, options, file
        self.looks: list[tuple[str, ...]] = []

    @classmethod
    def of(cls, arguments: list[str]) -> Call | None:
        """Return a call that may be remembered; None for one about a file, a base, a snapshot, or what is not plain.

        Whether the values of its options mean anything is not known here.
        """
        paths: list[str] = []
        options: dict[str, str] = {}
        words = iter(arguments)
        for word in words:
            name, is_given, value = word.partition("=")
            if word in _BARE:
                options[word] = ""
            elif name in _VALUED:
                options[name] = value if is_given else next(words, "")
            else:
                paths.append(word)
        is_plain = len(paths) == 1 and not any(one.startswith("-") for one in (*paths, *options.values()))
        # A shell that completes words calls the command with a variable of this kind.
        asks_for_words = any(name.endswith("_COMPLETE") for name in os.environ)
        if not is_plain or asks_for_words or not os.path.isdir(paths[0]):  # noqa: PTH112 - Path would be imported
            return None
        asked = [(name, os.environ.get(name)) for name in _TERMINAL]
        file = kept.place("answer", paths, sorted((_USUAL | options).items()), os.getcwd(), asked, _screen())  # noqa: PTH109
        return None if file is None else cls(paths[0], options, file)

    def begin(self) -> None:
        """Note everything that is looked at from now on."""
        self.looks = looking.note()

    def keep(self, text: str, status: int) -> None:
        """Remember an answer. What cannot be kept is not, without a word."""
        try:
            looks = _BETWEEN.join("\0".join(look).encode("utf-8", "surrogateescape") for look in self.looks)
            head = f"{status} {len(self.looks)} {len(looks)}\n".encode()
            kept.write(self.file, head, looks, text.encode(sys.stdout.encoding, "backslashreplace"))
        except (OSError, UnicodeEncodeError):
            return

    def remembered(self) -> tuple[memoryview, int] | None:
        """Return the bytes and the exit status that were given before, or None where anything may be another."""
        content = kept.read(self.file)
        if content is None:
            return None
        head = bytes(content[:_HEAD]).partition(b"\n")[0]
        status, count, length = map(int, head.split())
        end = len(head) + 1 + length
        looks = bytes(content[len(head) + 1 : end]).split(_BETWEEN)
        if len(looks) != count:
            return None
        try:
            for look in looks:
                looking.again(tuple(look.decode("utf-8", "surrogateescape").split("\0")))
        except (OSError, looking.Changed):
            return None
        return content[end:], status


def _screen() -> list[object]:
    """Return what is known of the places that are written to, as far as it decides how."""
    found: list[object] = [sys.stdout.encoding]
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        is_terminal = stream is not None and stream.isatty()
        found.append(is_terminal and tuple(os.get_terminal_size(stream.fileno())))
    return found

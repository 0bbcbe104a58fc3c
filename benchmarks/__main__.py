"""`make bench ARGS='NAME …'`: run one benchmark; its last line is the figure."""

import importlib
import inspect
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(arguments: list[str]) -> int:
    """Run the benchmark of that name with what follows it, and return the exit status; else say how to call it."""
    names = sorted(path.stem for path in HERE.glob("[a-z]*.py") if "def main(" in path.read_text(encoding="utf-8"))
    name, *rest = arguments or [""]
    if name not in names:
        sys.stderr.write(f"usage: make bench ARGS={'|'.join(names)}\n")
        return 2
    benchmark = importlib.import_module(f"benchmarks.{name}").main
    try:
        inspect.signature(benchmark).bind(*rest)
    except TypeError:
        wanted = " ".join(word.upper() for word in inspect.signature(benchmark).parameters)
        sys.stderr.write(f"usage: make bench ARGS='{f'{name} {wanted}'.strip()}'\n")
        return 2
    benchmark(*rest)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""`make bench ARGS=NAME`: run one benchmark; its last line is the figure."""

import importlib
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main(arguments: list[str]) -> int:
    """Run the benchmark of that name and return the exit status; without one, name those there are."""
    names = sorted(path.stem for path in HERE.glob("[a-z]*.py") if "def main(" in path.read_text(encoding="utf-8"))
    if len(arguments) != 1 or arguments[0] not in names:
        sys.stderr.write(f"usage: make bench ARGS={'|'.join(names)}\n")
        return 2
    importlib.import_module(f"benchmarks.{arguments[0]}").main()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Benchmarks run seldom: that each can still be imported, and says how it is called, is seen at every change."""

import pytest

from benchmarks.__main__ import HERE, main

NAMES = sorted(path.stem for path in HERE.glob("[a-z]*.py") if "def main(" in path.read_text(encoding="utf-8"))
MORE_THAN_ANY_TAKES = ["more"] * 9


def test_there_are_benchmarks():
    assert {"judgement", "lint", "pipeline"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_benchmark_can_be_imported_and_refuses_what_it_does_not_take(name, capsys):
    assert main([name, *MORE_THAN_ANY_TAKES]) == 2

    assert capsys.readouterr().err.startswith(f"usage: make bench ARGS='{name}")


@pytest.mark.parametrize("arguments", [[], ["no-such-benchmark"], ["__main__"]])
def test_no_benchmark_of_a_name_is_told_with_those_there_are(arguments, capsys):
    assert main(arguments) == 2

    assert "|".join(NAMES) in capsys.readouterr().err

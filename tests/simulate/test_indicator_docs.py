"""The examples of the page on indicators are run, output included."""

import doctest
from pathlib import Path

PAGE = Path(__file__).parents[2] / "docs" / "indicators.md"


def test_examples_of_the_page():
    found = doctest.testfile(str(PAGE), module_relative=False, optionflags=doctest.ELLIPSIS)
    assert found.attempted > 25
    assert found.failed == 0

"""The page of validation shows what is computed now, and every published range is met."""

import pytest
from validation_table import PAGE, TABLES, TESTS, markdown, marks

ROOT = PAGE.parents[1]
TABLE = [pytest.param(n, marks=pytest.mark.slow) if n == "kilns" else n for n in TABLES]


@pytest.mark.parametrize("name", TABLE)
def test_published_ranges_are_met(name):
    rows = TABLES[name]()
    assert rows
    assert [f"{r.what}: {r.computed:g} {r.unit}, known {r.known}" for r in rows if r.held is False] == []
    assert all(r.why for r in rows if r.held is None)


@pytest.mark.parametrize("name", TABLE)
def test_the_page_shows_what_is_computed(name):
    begin, end = marks(name)
    shown = PAGE.read_text(encoding="utf-8").split(begin)[1].split(end)[0]
    assert shown.strip() == markdown(TABLES[name]()).strip(), "python tests/simulate/validation_table.py writes it anew"


def test_the_tests_that_the_page_names_are_there():
    for path in TESTS.values():
        assert (ROOT / path).is_file(), path

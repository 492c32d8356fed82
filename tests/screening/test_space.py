"""The lattice and the process grid: exact counts, units, and the mistakes people make."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wastelab.errors import RecipeError
from wastelab.routes import ProcessVariable, get_route
from wastelab.screening.recipe import parse_recipe
from wastelab.screening.space import build_space, count_blends

TEMPERATURE = ProcessVariable("temperature", "degC", "kiln temperature", "窑温", 1100.0, 1400.0, 1250.0)
HOLD = ProcessVariable("hold", "min", "time at temperature", "保温", 5.0, 240.0, None)
#: A made-up route that does respond to temperature, to test the grid (no shipped clinker route does).
ROUTE = replace(get_route("sulfoaluminate_clinker"), variables=(TEMPERATURE, HOLD), forbidden_variables={})


def space_of(process, **other):
    text = (
        'schema = 1\nname = "x"\nroute = "sulfoaluminate_clinker"\n[materials]\na = "raw/limestone"\n'
        f'b = "raw/bauxite"\nstep = "10 %"\n[process.calcine]\n{process}\n[objectives]\nco2 = "min"\n'
    )
    return build_space(parse_recipe(text), ROUTE, **other)


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 6)), min_size=1, max_size=4), st.integers(1, 12))
def test_count_equals_enumeration(bounds, m):
    lo = [a for a, _ in bounds]
    hi = [a + b for a, b in bounds]
    points = product(*[range(a, b + 1) for a, b in zip(lo, hi, strict=True)])
    assert count_blends(lo, hi, m) == sum(sum(p) == m for p in points)


def test_count_is_exact_beyond_64_bits():
    from math import comb

    assert count_blends([0] * 12, [10**4] * 12, 10**4) == comb(10**4 + 11, 11) > 2**64


def test_grid_with_units():
    space = space_of('temperature = { min = "1150 degC", max = "1350 degC", step = "50 K" }\nhold = ["30 min", "1 h"]')
    assert [p["temperature"] for p in space.points[::2]] == [1150, 1200, 1250, 1300, 1350]
    assert {p["hold"] for p in space.points} == {30.0, 60.0}
    assert space.candidates == space.blends * 10 == 110


def test_grid_step_may_be_given_in_degrees():
    space = space_of('temperature = { min = "1150 degC", max = "1350 ℃", step = "100 degC" }\nhold = "30 min"')
    assert len(space.points) == 3


def test_default_is_used_and_missing_is_named():
    assert space_of('hold = "30 min"').points[0]["temperature"] == 1250.0
    with pytest.raises(RecipeError, match="needs 'hold'"):
        space_of('temperature = "1250 degC"')


@pytest.mark.parametrize(
    ("process", "match"),
    [
        ('temperature = "1523 degC"\nhold = "30 min"', r"line 9.*looks like kelvin; 1523 K is 1249.85 degC"),
        ('temperature = "1523 K"\nhold = "3 min"', r"line 10.*outside 5 \.\. 240 min"),
        ('temperature = 1250\nhold = "30 min"', "no unit"),
        ('temperature = "1250 min"\nhold = "30 min"', "cannot be read as degC"),
        ('temperature = []\nhold = "30 min"', "list is empty"),
        ('temperature = ["1250 degC", "1250 degC"]\nhold = "30 min"', "listed twice"),
        ('temperature = { min = "1150 degC", max = "1350 degC" }\nhold = "30 min"', "a grid is written"),
        ('temperature = { min = "1350 degC", max = "1150 degC", step = "10 K" }\nhold = "30 min"', "min <= max"),
        ('temperature = { min = "1150 degC", max = "1350 degC", step = "0 K" }\nhold = "30 min"', "positive step"),
        ('temperatur = "1250 degC"\nhold = "30 min"', "Did you mean 'temperature'"),
        ('volatilised = { SO3 = "120 %" }\nhold = "30 min"', "not a share"),
        ('volatilised = "5 %"\nhold = "30 min"', "write volatilised"),
        ('fuel_energy = ["3 GJ/t"]\nhold = "30 min"', "fixed parameter"),
        ('fuel_energy = "300 GJ/t"\nhold = "30 min"', "outside"),
    ],
)
def test_mistakes(process, match):
    with pytest.raises(RecipeError, match=match):
        space_of(process)


def test_too_many_candidates():
    with pytest.raises(RecipeError, match="11 blends x 1 process points = 11 candidates, more than the 5"):
        space_of('hold = "30 min"', max_candidates=5)

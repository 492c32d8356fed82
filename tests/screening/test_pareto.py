"""The non-dominated filter against the comparison of all pairs."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wastelab.screening.pareto import nondominated


def slow(values):
    a, b = values[:, None, :], values[None, :, :]
    return ~((b <= a).all(axis=2) & (b < a).any(axis=2)).any(axis=1)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda k: arrays(np.float64, st.tuples(st.integers(0, 40), st.just(k)), elements=st.integers(0, 5))
    )
)
def test_equals_all_pairs(values):
    np.testing.assert_array_equal(nondominated(values), slow(values))


def test_values_of_very_different_size():
    values = np.array([[1e18, 1.0], [1e18, 2.0], [1e18 + 256, 0.0]])
    assert nondominated(values).tolist() == [True, False, True]


def test_directions():
    values = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 1.5]])
    assert nondominated(values, ["min", "max"]).tolist() == [True, True, False]


@pytest.mark.parametrize(
    ("values", "directions", "match"),
    [
        ([[np.nan, 1.0]], None, "NaN"),
        (np.zeros((2, 2, 2)), None, "two dimensions"),
        ([[1.0, 2.0]], ["min"], "directions"),
        ([[1.0]], ["low"], "directions"),
    ],
)
def test_refuses(values, directions, match):
    with pytest.raises(ValueError, match=match):
        nondominated(values, directions)

"""Models of solid-state kinetics: g against quadrature of 1/f, inverse against g, ends, in high precision."""

from __future__ import annotations

import math
from decimal import Decimal as D
from decimal import localcontext

import numpy as np
import pytest
from scipy.integrate import quad

from wastelab.errors import UnknownNameError, ValidityError
from wastelab.simulate.kinetics import STANDARD, reaction_model

CLOSED = [*STANDARD, "F0", "F0.5", "F0.96", "F1.5", "R1", "A1.5", "A0.7", "P1"]
OPEN = ["SB(0.5,1.2,0)", "SB(0.3,0.7)", "SB(0,1,0.5)", "SB(0.9,1,0)", "Bna(1,5)", "Bna(0.6,2)", "Bna(2,100)"]
GRID = np.array([1e-9, 1e-6, 1e-4, 0.01, 0.1, 0.3, 0.5, 0.8, 0.95, 0.999, 0.9999, 1 - 1e-7])


def _exact_g(name: str, alpha: float) -> D:
    """g by 60-digit arithmetic, independent of the kernels."""
    model = reaction_model(name)
    a, left = D(alpha), 1 - D(alpha)
    n = D(model.n)
    family = name[0]
    if family == "F":
        return -left.ln() if n == 1 else (1 - left ** (1 - n)) / (1 - n)
    if family == "A":
        return (-left.ln()) ** (1 / n)
    if family == "R":
        return 1 - left ** (1 / n)
    if family == "P":
        return a ** (1 / n)
    third = left ** (D(1) / 3)
    return {
        "D1": a * a,
        "D2": left * left.ln() + a,
        "D3": (1 - third) ** 2,
        "D4": 1 - 2 * a / 3 - third * third,
    }[name]


@pytest.mark.parametrize("name", CLOSED)
def test_g_and_its_inverse_keep_all_digits(name: str) -> None:
    model = reaction_model(name)
    with localcontext(prec=60):
        for alpha in GRID:
            exact = _exact_g(name, float(alpha))
            assert float(abs(D(float(model.g(alpha))) / exact - 1)) < 2e-14
            # the exact g, rounded to a float, must lead back to alpha within what that rounding allows
            slope = float(model.f(alpha))
            allowed = 2e-15 * alpha + 4e-16 * float(exact) * slope + 2e-16
            assert abs(float(model.alpha(float(exact))) - alpha) <= 4 * allowed


@pytest.mark.parametrize("name", [*CLOSED, *OPEN])
def test_g_is_the_integral_of_one_over_f(name: str) -> None:
    model = reaction_model(name)
    for low, high in ((0.001, 0.1), (0.1, 0.5), (0.5, 0.9), (0.9, 0.999)):
        by_quad = quad(lambda x: 1.0 / float(model.f(x)), low, high, epsabs=0, epsrel=1e-12, limit=200)[0]
        assert float(model.g(high) - model.g(low)) == pytest.approx(by_quad, rel=1e-10)


@pytest.mark.parametrize("name", OPEN)
def test_models_without_closed_form_invert(name: str) -> None:
    model = reaction_model(name)
    assert not model.closed
    alpha = np.array([1e-9, 1e-4, 0.03, 0.25, 0.5, 0.77, 0.97, 1 - 1e-6])
    g = model.g(alpha)
    assert np.all(np.diff(g) > 0)
    np.testing.assert_allclose(model.alpha(g), alpha, atol=2e-13, rtol=0)


def test_autocatalytic_first_order_has_a_closed_form() -> None:
    # integral of da/((1-a)(1+ka)) = ln((1+ka)/(1-a))/(1+k)
    alpha, k = np.array([1e-5, 0.1, 0.6, 0.99, 0.999999]), 5.0
    expected = (np.log1p(k * alpha) - np.log1p(-alpha)) / (1 + k)
    np.testing.assert_allclose(reaction_model("Bna(1,5)").g(alpha), expected, rtol=1e-13)


def test_truncated_series_equals_a_beta_function() -> None:
    # SB(m, n, 0) ends at B(1 - m, 1 - n)
    from scipy.special import beta

    assert reaction_model("SB(0.3,0.7)").g_end == pytest.approx(beta(0.7, 0.3), rel=1e-12)


def test_avrami_is_a_sestak_berggren() -> None:
    # A2 = 2 (1-a)(-ln(1-a))^(1/2) = 2 SB(0, 1, 1/2): g differs by the factor
    alpha = np.array([1e-6, 0.2, 0.7, 0.999])
    np.testing.assert_allclose(reaction_model("SB(0,1,0.5)").g(alpha), 2 * reaction_model("A2").g(alpha), rtol=1e-13)


@pytest.mark.parametrize(
    ("name", "ends", "g_end"),
    [
        ("F1", False, math.inf), ("F2", False, math.inf), ("F0.5", True, 2.0), ("A3", False, math.inf),
        ("R2", True, 1.0), ("R3", True, 1.0), ("P2", True, 1.0), ("D1", True, 1.0), ("D2", True, 1.0),
        ("D3", True, 1.0), ("D4", True, 1 / 3), ("SB(0.5,1.2,0)", False, math.inf), ("Bna(1,5)", False, math.inf),
    ],
)  # fmt: skip
def test_where_reactions_end(name: str, ends: bool, g_end: float) -> None:
    model = reaction_model(name)
    assert model.ends is ends
    assert model.g_end == pytest.approx(g_end, rel=1e-15)
    if ends:
        assert float(model.alpha(model.g_end * (1 + 1e-9))) == 1.0
        assert float(model.alpha(model.g_end * (1 - 1e-3))) < 1.0
        assert float(model.f(1.0)) == 0.0 or name in ("F0", "R1")


@pytest.mark.parametrize("name", [*CLOSED, *OPEN])
def test_conversion_rises_from_nothing_and_stays_complete(name: str) -> None:
    model = reaction_model(name)
    alpha = model.alpha(np.linspace(0.0, 3.0, 200))
    assert alpha[0] == 0.0
    assert np.all(np.diff(alpha) >= -1e-15)
    assert alpha.max() <= 1.0


def test_a_law_that_never_starts_is_refused() -> None:
    with pytest.raises(ValidityError, match="never starts"):
        reaction_model("SB(1,1,0)").g(0.5)


@pytest.mark.parametrize("name", ["F", "A0", "R4", "D5", "SB(1)", "Bna(1,2,3)", "kaolin"])
def test_unknown_models_are_named(name: str) -> None:
    with pytest.raises(UnknownNameError, match=r"model|above zero"):
        reaction_model(name)

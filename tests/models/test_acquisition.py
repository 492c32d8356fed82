"""Acquisition criteria: closed forms beside Monte Carlo, quadrature and hand values (synthetic numbers throughout)."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm

from wastelab.errors import ModelError
from wastelab.models import acquisition as acq

Z = norm.ppf((np.arange(200_000) + 0.5) / 200_000)


def test_expected_improvement_at_the_best_is_sd_over_root_two_pi() -> None:
    # u = 0: EI = sd * phi(0), Jones et al. (1998) eq. 15
    assert acq.expected_improvement(50.0, 3.0, 50.0) == pytest.approx(3.0 / np.sqrt(2.0 * np.pi), rel=1e-14)


@pytest.mark.parametrize(("mean", "sd", "best"), [(50.0, 3.0, 52.0), (55.0, 2.0, 52.0), (40.0, 6.0, 52.0)])
def test_expected_improvement_beside_quantiles(mean: float, sd: float, best: float) -> None:
    assert acq.expected_improvement(mean, sd, best) == pytest.approx(
        np.maximum(mean + sd * Z - best, 0).mean(), rel=1e-3
    )


def test_a_certain_candidate_improves_by_the_difference() -> None:
    np.testing.assert_array_equal(acq.expected_improvement([5.0, 3.0], 0.0, 4.0), [1.0, 0.0])


def test_log_expected_improvement_agrees_and_goes_on_where_the_improvement_underflows() -> None:
    mean = np.array([10.0, 1.0, 0.0, -1.0, -5.0, -30.0])
    np.testing.assert_allclose(
        acq.log_expected_improvement(mean, 1.0, 0.0), np.log(acq.expected_improvement(mean, 1.0, 0.0)), rtol=1e-9
    )
    far = acq.log_expected_improvement([-50.0, -500.0, -2000.0, -1e6], 1.0, 0.0)
    assert np.isfinite(far).all() and (np.diff(far) < 0).all()
    # tail: phi(u) / u^2 (1 - 3 / u^2 + ...)
    assert far[1] == pytest.approx(norm.logpdf(500.0) - 2 * np.log(500.0) + np.log1p(-3 / 500.0**2), abs=1e-6)


def test_log_expected_improvement_is_smooth_where_its_formulas_meet() -> None:
    for u in (-1.0, -1e3):
        below, above = acq.log_expected_improvement([u * (1 + 1e-9), u * (1 - 1e-9)], 1.0, 0.0)
        assert below == pytest.approx(above, rel=1e-5)


def test_log_expected_improvement_has_its_digits_on_both_sides_of_the_change_of_formulas() -> None:
    # asymptotic series of the tail with two terms more: phi(u) (1/u^2 - 3/u^4 + 15/u^6 - 105/u^8)
    for u in (300.0, 999.0, 1001.0, 9_000.0, 11_000.0):
        series = -0.5 * u * u - 0.5 * np.log(2 * np.pi) - 2 * np.log(u) + np.log1p(-3 / u**2 + 15 / u**4 - 105 / u**6)
        assert acq.log_expected_improvement(-u, 1.0, 0.0) == pytest.approx(series, rel=1e-14, abs=3e-10)


def test_augmented_expected_improvement_halves_nothing_without_noise_and_vanishes_with_much() -> None:
    plain = acq.expected_improvement(3.0, 2.0, 2.0)
    assert acq.augmented_expected_improvement(3.0, 2.0, 2.0, 0.0) == plain
    # sd 3, noise 4: total 5, factor 1 - 4/5
    assert acq.augmented_expected_improvement(3.0, 3.0, 2.0, 4.0) == pytest.approx(
        0.2 * acq.expected_improvement(3.0, 3.0, 2.0)
    )
    assert acq.augmented_expected_improvement(3.0, 0.0, 2.0, 1.0) == 0.0


def test_noisy_expected_improvement_with_an_exact_best_is_the_plain_one() -> None:
    draws = (50.0 + 3.0 * Z)[:, None]
    assert acq.noisy_expected_improvement(draws, np.full((len(Z), 2), 52.0))[0] == pytest.approx(
        float(acq.expected_improvement(50.0, 3.0, 52.0)), rel=1e-3
    )


@pytest.mark.parametrize(("lower", "upper"), [(40.0, 45.0), (40.0, np.inf), (-np.inf, 45.0)])
def test_expected_approach_beside_quantiles(lower: float, upper: float) -> None:
    for mean, sd, distance in [(38.0, 3.0, 4.0), (47.0, 5.0, 2.0), (43.0, 1.0, 6.0), (36.0, 0.0, 5.0)]:
        y = mean + sd * Z
        off = np.maximum(np.maximum(lower - y, y - upper), 0.0)
        wanted = np.maximum(distance - off, 0.0).mean()
        assert acq.expected_approach(mean, sd, lower, upper, distance) == pytest.approx(wanted, rel=2e-3, abs=1e-6)


def test_nothing_comes_nearer_than_inside() -> None:
    assert acq.expected_approach(43.0, 2.0, 40.0, 45.0, 0.0) == 0.0


def test_probabilities() -> None:
    assert acq.probability_of_improvement(50.0, 2.0, 52.0) == pytest.approx(norm.cdf(-1.0))
    np.testing.assert_array_equal(acq.probability_of_improvement([1.0, 2.0, 3.0], 0.0, 2.0), [0.0, 0.0, 1.0])
    assert acq.probability_of_feasibility(50.0, 2.0, 48.0, 52.0) == pytest.approx(norm.cdf(1) - norm.cdf(-1))
    np.testing.assert_array_equal(acq.probability_of_feasibility([1.0, 2.0, 3.0, 4.0], 0.0, 2.0, 3.0), [0, 1, 1, 0])
    assert acq.probability_of_feasibility(50.0, 2.0) == 1.0
    assert acq.upper_confidence_bound(50.0, 2.0, 1.5) == 53.0


def test_integrated_variance_reduction_is_the_variance_that_conditioning_removes() -> None:
    rng = np.random.default_rng(1)
    root = rng.normal(size=(6, 6))
    cov = root @ root.T
    gain = acq.integrated_variance_reduction(cov, 0.3)
    for i in range(6):
        after = cov - np.outer(cov[:, i], cov[:, i]) / (cov[i, i] + 0.3)
        assert gain[i] == pytest.approx(np.mean(np.diag(cov) - np.diag(after)))


def test_hypervolume_by_hand() -> None:
    # three steps above (0, 0): 1x3 + 1x2 + 1x1
    assert acq.hypervolume([[1, 3], [2, 2], [3, 1], [1, 1]], [0, 0]) == 6.0
    assert acq.hypervolume([[-1.0, 5.0]], [0, 0]) == 0.0
    assert acq.hypervolume(np.zeros((0, 2)), [0, 0]) == 0.0


def test_hypervolume_improvement_of_known_results_is_the_difference_of_volumes() -> None:
    rng = np.random.default_rng(2)
    for m in (2, 3, 4):
        front, new = rng.uniform(size=(7, m)), rng.uniform(-0.2, 1.2, size=(20, m))
        exact = acq.expected_hypervolume_improvement(new, 0.0, front, np.zeros(m))
        before = acq.hypervolume(front, np.zeros(m))
        after = [acq.hypervolume(np.vstack([front, y]), np.zeros(m)) - before for y in new]
        np.testing.assert_allclose(exact, after, atol=1e-12)


def test_expected_hypervolume_improvement_without_results_is_a_product_of_expected_improvements() -> None:
    value = acq.expected_hypervolume_improvement([[1.0, 2.0]], [[0.5, 0.8]], np.zeros((0, 2)), [0.2, 0.1])
    product = acq.expected_improvement(1.0, 0.5, 0.2) * acq.expected_improvement(2.0, 0.8, 0.1)
    assert value[0] == pytest.approx(product, rel=1e-14)


@pytest.mark.parametrize("m", [2, 3])
def test_expected_hypervolume_improvement_beside_draws(m: int) -> None:
    rng = np.random.default_rng(3)
    front, mean = rng.uniform(size=(4, m)), rng.uniform(0.2, 1.0, size=(3, m))
    sd = np.full((3, m), 0.3)
    sd[1, -1] = 0.0  # an objective that is known
    draws = mean + sd * rng.standard_normal((6000, 3, m))
    exact = acq.expected_hypervolume_improvement(mean, sd, front, np.zeros(m))
    sampled = acq.expected_hypervolume_improvement_sampled(draws, front, np.zeros(m))
    np.testing.assert_allclose(sampled, exact, rtol=0.06)


def test_a_front_of_too_many_boxes_is_refused() -> None:
    rng = np.random.default_rng(4)
    angles = np.abs(rng.standard_normal((200, 4)))
    front = angles / np.linalg.norm(angles, axis=1, keepdims=True)
    with pytest.raises(ModelError, match="use expected_hypervolume_improvement_sampled"):
        acq.expected_hypervolume_improvement(np.ones((1, 4)), 0.1, front, np.zeros(4))


def test_front_and_reference_must_be_complete() -> None:
    with pytest.raises(ModelError, match="finite"):
        acq.hypervolume([[1.0, np.nan]], [0, 0])
    with pytest.raises(ModelError, match="must agree"):
        acq.expected_hypervolume_improvement([[1.0, 2.0, 3.0]], 0.1, [[1.0, 2.0]], [0.0, 0.0])

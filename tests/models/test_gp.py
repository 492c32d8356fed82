"""The Gaussian process against dense formulas, finite differences and scikit-learn; all data here are synthetic."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wastelab.errors import ModelError
from wastelab.models import _gp_kernels as kernels
from wastelab.models.course import Course, interpolate
from wastelab.models.design import Design, Feature
from wastelab.models.gp import GaussianProcess
from wastelab.models.gp_likelihood import FORMS, Likelihood, Observations, Part


def course_of_strength(n_mixes: int = 40, seed: int = 0, ages: tuple[float, ...] = (1.0, 3.0, 7.0, 28.0, 90.0)):
    """Synthetic strengths that rise with age, an effect for each mix, noise: design, y, mix."""
    rng = np.random.default_rng(seed)
    wb, slag = rng.uniform(0.3, 0.7, n_mixes), rng.uniform(0.0, 0.6, n_mixes)
    mix = np.repeat(np.arange(n_mixes), len(ages))
    t = np.tile(ages, n_mixes)
    level = 25.0 / wb[mix] * (1.0 - 0.3 * slag[mix] / np.sqrt(t)) + rng.normal(0, 2.0, n_mixes)[mix]
    y = level * (0.25 + 0.16 * np.log1p(t)) + rng.normal(0, 1.0, len(t))
    features = (
        Feature("water/binder", "", "derived"),
        Feature("slag", "%", "input"),
        Feature("age", "ln d", "age", monotone=1),
    )
    return Design(np.column_stack([wb[mix], slag[mix], np.log(t)]), features), np.maximum(y, 1.0), mix


def slow_covariance(x, z, inverse, form):
    """Every pair by the formula."""
    out = np.empty((len(x), len(z)))
    for i in range(len(x)):
        for j in range(len(z)):
            a = np.abs(x[i] - z[j]) * inverse
            if form == kernels.PRODUCT_32:
                out[i, j] = np.prod((1 + a) * np.exp(-a))
            else:
                r = np.sqrt(np.sum(a**2))
                out[i, j] = (1 + r + (r * r / 3 if form == kernels.JOINT_52 else 0.0)) * np.exp(-r)
    return out


@pytest.mark.parametrize("form", list(FORMS.values()))
def test_covariances_are_the_formulas(form):
    rng = np.random.default_rng(1)
    x, z, inverse = rng.normal(size=(23, 4)), rng.normal(size=(9, 4)), rng.uniform(0.2, 3.0, 4)
    out = np.zeros((23, 23))
    kernels.covariance(np.ascontiguousarray(x.T), inverse, form, out)
    np.testing.assert_allclose(np.tril(out), np.tril(slow_covariance(x, x, inverse, form)), rtol=1e-12)
    cross = np.empty((23, 9))
    kernels.cross_covariance(np.ascontiguousarray(x.T), np.ascontiguousarray(z.T), inverse, form, cross)
    np.testing.assert_allclose(cross, slow_covariance(x, z, inverse, form), rtol=1e-12)


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("within", [False, True])
def test_gradient_is_the_derivative(form, within):
    rng = np.random.default_rng(2)
    n = 40
    tests = Observations(
        rng.normal(size=(n, 3)), rng.normal(size=n), rng.integers(0, 15, n), rng.integers(0, 5, n),
        rng.uniform(0.5, 2.0, n),
    )  # fmt: skip
    problem = Likelihood([Part((0, 1, 2)), Part((0, 1), within=within)], form, True, True, True)
    theta = problem.start() + rng.normal(0, 0.3, len(problem.centre))
    columns = problem.coordinates(tests.x)
    _, gradient = problem.value(theta, tests, columns)
    step = 1e-5
    numeric = [
        (problem.value(theta + step * e, tests, columns)[0] - problem.value(theta - step * e, tests, columns)[0])
        / (2 * step)
        for e in np.eye(len(theta))
    ]
    np.testing.assert_allclose(gradient, numeric, rtol=1e-5, atol=1e-6)


def test_value_is_the_marginal_likelihood_by_hand():
    rng = np.random.default_rng(3)
    n = 20
    x, z = rng.normal(size=(n, 2)), rng.normal(size=n)
    mix, source = rng.integers(0, 6, n), rng.integers(0, 3, n)
    tests = Observations(x, z, mix, source, np.ones(n))
    problem = Likelihood([Part((0, 1)), Part((0,), within=True)], "product-3/2", True, True, False)
    theta = rng.normal(0, 0.4, len(problem.centre))
    (first, second), of_mix, of_source, noise = problem.unpack(theta)
    kernel = first.variance * slow_covariance(x, x, first.inverse, kernels.PRODUCT_32)
    same = source[:, None] == source[None, :]
    kernel += second.variance * slow_covariance(x[:, :1], x[:, :1], second.inverse, kernels.PRODUCT_32) * same
    kernel += of_mix * (mix[:, None] == mix[None, :]) + of_source * same + problem.constant
    kernel += (noise + 1e-8) * np.eye(n)
    expected = 0.5 * z @ np.linalg.solve(kernel, z) + 0.5 * np.linalg.slogdet(kernel)[1]
    assert problem.value(theta, tests, problem.coordinates(x))[0] == pytest.approx(expected, rel=1e-10)


def test_prediction_is_the_conditional_mean_of_a_dense_process():
    design, y, mix = course_of_strength(12)
    flat = Design(design.values, (*design.features[:2], Feature("age", "ln d", "age")))  # without the course
    gp = GaussianProcess(transform="sqrt").fit(flat, y, mix=mix)
    x = (flat.values - gp.mean_) / gp.sd_
    new = x[::7] + 0.1
    kernel, cross = np.zeros((len(x), len(x))), np.zeros((len(new), len(x)))
    for part in gp.components_:
        at = list(part.columns)
        kernel += part.variance * slow_covariance(x[:, at], x[:, at], part.inverse, kernels.PRODUCT_32)
        cross += part.variance * slow_covariance(new[:, at], x[:, at], part.inverse, kernels.PRODUCT_32)
    kernel += gp.mix_variance_ * (mix[:, None] == mix[None, :]) + (gp.noise_ + 1e-8) * np.eye(len(x))
    z = np.sqrt(y)
    mean = cross @ np.linalg.solve(kernel, (z - z.mean()) / z.std()) * z.std() + z.mean()
    asked = Design(new * gp.sd_ + gp.mean_, flat.features)
    np.testing.assert_allclose(gp.predict(asked), mean**2, rtol=1e-8)
    variance = sum(p.variance for p in gp.components_) - np.sum(cross * np.linalg.solve(kernel, cross.T).T, axis=1)
    sd = np.sqrt(variance + gp.mix_variance_ + gp.noise_) * z.std() * 2 * mean
    np.testing.assert_allclose(gp.spread(asked), sd, rtol=1e-6)
    joint, covariance = gp.posterior(asked)
    np.testing.assert_allclose(joint, mean, rtol=1e-8)
    np.testing.assert_allclose(np.diag(covariance), variance * z.std() ** 2, rtol=1e-6, atol=1e-12)


def test_same_optimum_as_scikit_learn():
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

    rng = np.random.default_rng(4)
    x = rng.uniform(-1, 1, (90, 3))
    y = np.sin(2 * x[:, 0]) + x[:, 1] ** 2 + 0.3 * x[:, 2] + rng.normal(0, 0.1, 90)
    design = Design(x, tuple(Feature(f"x{j}", "", "input") for j in range(3)))
    ours = GaussianProcess(
        form="matern-5/2", level=False, same_mix=False, transform="identity", priors=False, steps=200
    ).fit(design, y)
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    kernel = ConstantKernel(1.0, (1e-3, 1e3)) * Matern(np.ones(3), (0.03, 400.0), nu=2.5) + WhiteKernel(0.05, (1e-4, 2))
    theirs = GaussianProcessRegressor(kernel, normalize_y=True, random_state=0).fit(z, y)
    assert ours.log_likelihood() == pytest.approx(theirs.log_marginal_likelihood_value_, abs=0.02)
    np.testing.assert_allclose(ours.predict(design), theirs.predict(z), atol=0.01)


def test_strength_does_not_fall_with_age():
    design, y, mix = course_of_strength(25, seed=5)
    y = y.copy()
    y[4::5] *= 0.6  # synthetic tests that fall at 90 d: a process without the course follows them
    days = np.linspace(0.5, 200, 60)
    free = GaussianProcess().fit(Design(design.values, (*design.features[:2], Feature("age", "", "age"))), y, mix=mix)
    kept = GaussianProcess().fit(design, y, mix=mix)
    one = Design(np.repeat(design.values[:1], len(days), axis=0), design.features).at_age(np.log(days))
    assert np.min(np.diff(free.predict(one))) < -0.1
    assert np.min(np.diff(kept.predict(one))) >= 0.0


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(-50, 50), min_size=2, max_size=9), st.integers(0, 10_000))
def test_not_falling_is_isotonic_regression(values, seed):
    from sklearn.isotonic import isotonic_regression

    weights = np.random.default_rng(seed).uniform(0.5, 5, len(values))
    table = np.array([values])
    kernels.not_falling(table, weights)
    np.testing.assert_allclose(table[0], isotonic_regression(np.array(values), sample_weight=weights), atol=1e-9)


def test_courses_are_straight_between_knots_and_constant_outside():
    knots = np.log([1.0, 7.0, 28.0])
    table = np.tile([10.0, 20.0, 40.0], (5, 1))
    at = np.array([np.log(0.5), knots[0], 0.5 * (knots[1] + knots[2]), knots[2], 9.0])
    np.testing.assert_allclose(interpolate(table, knots, at), [10, 10, 30, 40, 40])


def test_many_ages_are_thinned_and_the_ends_kept():
    log_age = np.log(np.arange(1.0, 101.0))
    design = Design(log_age[:, None], (Feature("age", "", "age", monotone=1),))
    course = Course.of(design)
    assert len(course.knots) <= 16
    assert course.knots[0] == 0.0
    assert course.knots[-1] == pytest.approx(np.log(100), abs=1e-8)
    assert course.weights.sum() == pytest.approx(100)


def test_state_gives_the_same_process():
    design, y, mix = course_of_strength(20)
    gp = GaussianProcess().fit(design, y, mix=mix, source=mix % 3)
    again = GaussianProcess.from_state(*gp.to_state())
    assert np.array_equal(gp.predict(design), again.predict(design))
    assert np.array_equal(gp.spread(design), again.spread(design))


def test_same_input_same_process():
    design, y, mix = course_of_strength(80)
    first, second = (GaussianProcess().fit(design, y, mix=mix).predict(design) for _ in range(2))
    assert np.array_equal(first, second)


def test_effect_of_a_mix_is_found():
    design, y, mix = course_of_strength(60, seed=7)
    gp = GaussianProcess(transform="identity").fit(design, y, mix=mix)
    assert gp.mix_variance_ > gp.noise_ / 10
    assert GaussianProcess(same_mix=False).fit(design, y, mix=mix).mix_variance_ == 0.0


def test_many_sources_get_a_part_of_their_own_and_new_ones_the_common_part():
    design, y, mix = course_of_strength(60, seed=8)
    source = mix % 12
    rng = np.random.default_rng(9)
    offset, slope = rng.normal(0, 6, 12), rng.normal(0, 4, 12)
    y = np.maximum(y + offset[source] + slope[source] * (design.values[:, 2] - 2), 1.0)
    gp = GaussianProcess(transform="identity").fit(design, y, mix=mix, source=source)
    assert [part.within for part in gp.parts_] == [False, True]
    within = next(part.variance for part in gp.components_ if part.within) + gp.source_variance_
    assert within > 5 * gp.noise_
    few = GaussianProcess(transform="identity").fit(design, y, mix=mix, source=mix % 3)
    assert not any(part.within for part in few.parts_)


def test_gaps_are_columns_of_their_own():
    design, y, mix = course_of_strength(40, seed=10)
    values = design.values.copy()
    gone = np.isin(mix, [1, 5, 9, 13])
    values[gone, 1] = np.nan
    gp = GaussianProcess().fit(Design(values, design.features), y, mix=mix)
    assert gp.gaps_ == [1]
    predicted = gp.predict(Design(values, design.features))
    assert np.isfinite(predicted).all()
    assert np.sqrt(np.mean((predicted - y)[gone] ** 2)) < 6


def test_noise_of_replicates_weighs():
    design, y, mix = course_of_strength(30, seed=11)
    noise = np.where(np.arange(len(y)) % 2, 0.1, 100.0)
    gp = GaussianProcess(transform="identity").fit(design, y, mix=mix, noise=noise)
    assert gp.tests_.ratio[0] > 4 * gp.tests_.ratio[1]


@pytest.mark.parametrize(
    ("options", "word"),
    [({"form": "rbf"}, "product-3/2"), ({"transform": "cube"}, "identity"), ({"transform": "log"}, "0 or less")],
)
def test_wrong_options_are_refused(options, word):
    design, y, mix = course_of_strength(10)
    with pytest.raises(ModelError, match=word):
        GaussianProcess(**options).fit(design, np.zeros_like(y), mix=mix)

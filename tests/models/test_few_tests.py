"""Belief from few tests: dense formulas, optimum, scale by the candidates, odd tables (synthetic numbers)."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import ModelError, UnknownNameError
from wastelab.models.few_tests import FewTests


def pool(n: int = 60, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({"slag": rng.uniform(0, 200, n), "water": rng.uniform(140, 200, n), "temperature": 20.0})


def strength(table: pd.DataFrame) -> np.ndarray:
    return (60.0 - 0.25 * (table.water - 140.0) + 10.0 * np.sin(table.slag / 60.0)).to_numpy()


def matern(a: np.ndarray, b: np.ndarray, inverse_length: np.ndarray) -> np.ndarray:
    r = np.sqrt(5.0 * (((a[:, None] - b[None, :]) * inverse_length) ** 2).sum(axis=2))
    return (1.0 + r + r**2 / 3.0) * np.exp(-r)


def test_posterior_beside_dense_formulas() -> None:
    table = pool()
    tests = table.iloc[:8]
    model = FewTests().fit(tests, strength(tests), pool=table)
    every = pd.concat([table, tests])[["slag", "water"]]
    x = ((table[["slag", "water"]] - every.mean()) / every.std(ddof=0)).to_numpy()
    z = (strength(tests) - strength(tests).mean()) / strength(tests).std()
    means, covs = [], []
    for p in model.processes_:
        own = p.variance * matern(x, x, p.inverse_length) + 1.0
        known = own[:8, :8] + (p.noise + 1e-8) * np.eye(8)
        means.append(own[:, :8] @ np.linalg.solve(known, z))
        covs.append(own - own[:, :8] @ np.linalg.solve(known, own[:8]))
    mean = np.mean(means, axis=0)
    cov = np.mean([c + np.outer(m - mean, m - mean) for m, c in zip(means, covs, strict=True)], axis=0)
    got_mean, got_cov = model(table)
    np.testing.assert_allclose(got_mean, mean * strength(tests).std() + strength(tests).mean(), rtol=1e-8)
    np.testing.assert_allclose(got_cov, cov * strength(tests).var(), atol=1e-7)
    assert np.linalg.eigvalsh(got_cov).min() > -1e-8 * np.abs(got_cov).max()


def test_fitted_numbers_are_the_most_probable() -> None:
    table = pool()
    tests = table.iloc[:15]
    model = FewTests().fit(tests, strength(tests), pool=table)
    z = (strength(tests) - strength(tests).mean()) / strength(tests).std()

    def density(theta: np.ndarray, x: np.ndarray) -> float:
        cov = np.exp(theta[0]) * matern(x, x, np.exp(-theta[1:3])) + 1.0 + (np.exp(theta[3]) + 1e-8) * np.eye(15)
        prior = np.sum((theta[1:3] - np.sqrt(2.0) - 0.5 * np.log(2.0)) ** 2) / 6.0
        prior += theta[0] ** 2 / 0.98 + (theta[3] + 4.0) ** 2 / 2.0
        return 0.5 * z @ np.linalg.solve(cov, z) + 0.5 * np.linalg.slogdet(cov)[1] + prior

    p = model.processes_[0]
    found = np.log([p.variance, *(1.0 / p.inverse_length), p.noise])
    here = density(found, p.x)
    for j in range(4):
        for step in (-0.05, 0.05):
            assert density(found + step * np.eye(4)[j], p.x) > here - 1e-4


def test_the_same_twice_and_whatever_the_order_of_columns() -> None:
    table = pool()
    tests = table.iloc[:6]
    first = FewTests().fit(tests, strength(tests), pool=table)(table)
    again = FewTests().fit(tests, strength(tests), pool=table)(table)
    np.testing.assert_array_equal(first[0], again[0])
    turned = table[["water", "temperature", "slag"]]
    other = FewTests().fit(turned.iloc[:6], strength(tests), pool=turned)(turned)
    np.testing.assert_allclose(other[0], first[0], rtol=1e-4)


def test_belief_narrows_at_a_test_and_is_wide_away() -> None:
    line = pd.DataFrame({"water": np.linspace(140, 200, 61)})
    tests = line.iloc[[0, 10, 20]]
    mean, cov = FewTests().fit(tests, [60.0, 55.0, 40.0], pool=line)(line)
    sd = np.sqrt(np.diag(cov))
    assert sd[10] < 0.5 * sd[60]
    np.testing.assert_allclose(mean[[0, 10, 20]], [60.0, 55.0, 40.0], atol=3.0)


def test_a_column_that_only_candidates_vary_is_unknown_not_decisive() -> None:
    table = pool()
    table.loc[30:, "temperature"] = 60.0
    tests = table.iloc[:8]
    model = FewTests().fit(tests, strength(tests), pool=table)
    _, cov = model(table)
    sd = np.sqrt(np.diag(cov))
    assert sd[30:].mean() > sd[8:30].mean()
    assert sd[30:].max() < 3.0 * strength(tests).std()


def test_scatter_of_replicates_widens_the_belief_where_it_is_large() -> None:
    line = pd.DataFrame({"water": np.linspace(140, 200, 31)})
    tests = line.iloc[[0, 15, 30]]
    _, quiet = FewTests().fit(tests, [50.0, 45.0, 30.0], pool=line, noise=[0.01, 0.01, np.nan])(tests)
    _, loud = FewTests().fit(tests, [50.0, 45.0, 30.0], pool=line, noise=[0.01, 100.0, np.nan])(tests)
    assert loud[1, 1] > 2.0 * quiet[1, 1]


@pytest.mark.parametrize("transform", ["sqrt", "log"])
def test_scales(transform: str) -> None:
    table = pool()
    tests = table.iloc[:10]
    model = FewTests(transform).fit(tests, strength(tests), pool=table)
    assert model.inverse is not None
    np.testing.assert_allclose(model.predict(tests), strength(tests), rtol=0.15)
    assert (model.predict(table) > 0).all()
    with pytest.raises(ModelError, match="above 0"):
        FewTests(transform).fit(tests, np.zeros(10))


def test_texts_gaps_and_twins() -> None:
    table = pool()
    table["kiln"] = np.where(np.arange(60) % 2, "rotary", "shaft")
    table.loc[3, "kiln"] = None
    table.loc[[5, 40], "slag"] = np.nan
    table["slag_t"] = table["slag"] / 1000.0
    model = FewTests().fit(table.iloc[:12], strength(pool().iloc[:12]), pool=table)
    mean, cov = model(table)
    assert np.isfinite(mean).all() and np.isfinite(cov).all()
    without = FewTests().fit(table.drop(columns="slag_t").iloc[:12], strength(pool().iloc[:12]), pool=table)
    assert len(model.keep_) == len(without.keep_)
    with pytest.raises(UnknownNameError, match="tunnel"):
        model(table.assign(kiln="tunnel"))
    with pytest.raises(ModelError, match="lack columns"):
        model(table.drop(columns="water"))


def test_one_test_and_equal_results() -> None:
    table = pool()
    mean, cov = FewTests().fit(table.iloc[:1], [30.0], pool=table)(table)
    np.testing.assert_allclose(mean, 30.0)
    assert (np.diag(cov) > 0).all()
    mean, _ = FewTests().fit(table.iloc[:3], [30.0, 30.0, 30.0], pool=table)(table)
    np.testing.assert_allclose(mean, 30.0)


def test_encode_gives_the_numbers() -> None:
    table = pool()
    model = FewTests(encode=lambda t: t[["slag", "water"]].to_numpy()).fit(table.iloc[:6], strength(table.iloc[:6]))
    assert model(table)[0].shape == (60,)


def test_what_cannot_be_fitted() -> None:
    table = pool()
    for message, call in {
        "transform": lambda: FewTests("cube").fit(table.iloc[:3], [1, 2, 3]),
        "0 tests": lambda: FewTests().fit(table.iloc[:0], []),
        "missing or infinite": lambda: FewTests().fit(table.iloc[:2], [1.0, np.nan]),
        "do not differ": lambda: FewTests().fit(table.iloc[:2][["temperature"]], [1.0, 2.0]),
        "negative variance": lambda: FewTests().fit(table.iloc[:2], [1.0, 2.0], noise=[-1.0, 1.0]),
        "infinite number": lambda: FewTests().fit(table.iloc[:2].assign(slag=np.inf), [1.0, 2.0]),
        "401 tests": lambda: FewTests().fit(pool(401), np.arange(401.0)),
    }.items():
        with pytest.raises((ModelError, UnknownNameError), match=message):
            call()

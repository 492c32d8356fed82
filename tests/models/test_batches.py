"""Batches: joint draws, greedy choices, space filling (synthetic numbers throughout)."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import ModelError
from wastelab.models import acquisition, batches


def kernel(x: np.ndarray, length: float = 1.0) -> np.ndarray:
    return np.exp(-0.5 * ((x[:, None] - x[None, :]) / length) ** 2)


def test_joint_samples_have_the_moments_and_are_the_same_for_a_seed() -> None:
    mean, cov = np.array([1.0, 2.0, 3.0]), np.array([[2.0, 0.5, 0.0], [0.5, 1.0, -0.3], [0.0, -0.3, 0.5]])
    draws = batches.joint_samples(mean, cov, 4096, seed=7)
    np.testing.assert_allclose(draws.mean(axis=0), mean, atol=0.01)
    np.testing.assert_allclose(np.cov(draws.T), cov, atol=0.02)
    np.testing.assert_array_equal(draws, batches.joint_samples(mean, cov, 4096, seed=7))
    assert not np.array_equal(draws, batches.joint_samples(mean, cov, 4096, seed=8))


def test_joint_samples_of_a_singular_and_of_no_covariance() -> None:
    draws = batches.joint_samples([0.0, 0.0], np.ones((2, 2)), 256)
    np.testing.assert_allclose(draws[:, 0], draws[:, 1], atol=1e-9)
    np.testing.assert_array_equal(batches.joint_samples([1.0, 2.0], np.zeros((2, 2)), 4), np.tile([1.0, 2.0], (4, 1)))


def test_joint_samples_of_more_directions_than_the_sequence_covers() -> None:
    draws = batches.joint_samples(np.zeros(40), np.eye(40), 4096, seed=1)
    np.testing.assert_allclose(np.cov(draws.T), np.eye(40), atol=0.12)


def test_first_of_a_greedy_batch_is_expected_improvement_and_the_batch_is_near_the_best_pair() -> None:
    x = np.linspace(0.0, 6.0, 13)
    mean, cov = np.sin(x), 0.6 * kernel(x)
    draws = batches.joint_samples(mean, cov, 8192)
    rows, gains = batches.greedy_expected_improvement(draws, 2, 0.5)
    ei = acquisition.expected_improvement(mean, np.sqrt(np.diag(cov)), 0.5)
    assert rows[0] == int(np.argmax(ei)) and gains[0] == pytest.approx(ei.max(), rel=0.03)
    best = max(np.maximum(draws[:, list(p)].max(axis=1) - 0.5, 0).mean() for p in combinations(range(13), 2))
    assert gains.sum() >= 0.95 * best


def test_a_twin_of_the_first_is_not_its_second() -> None:
    # rows 0 and 1 are the same mix; row 2 is a little worse and independent
    cov = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    draws = batches.joint_samples([1.0, 1.0, 0.8], cov, 1024)
    rows, gains = batches.greedy_expected_improvement(draws, 3, 0.0)
    assert rows[1] == 2 and gains[2] == pytest.approx(0.0, abs=1e-6)
    believer, _ = batches.kriging_believer([1.0, 1.0, 0.8], cov, 3, 0.0, acquisition.expected_improvement, 1e-6)
    assert believer[1] == 2


def test_weights_turn_a_choice() -> None:
    draws = batches.joint_samples([1.0, 0.9], np.eye(2), 512)
    assert batches.greedy_expected_improvement(draws, 1, 0.0)[0] == [0]
    assert batches.greedy_expected_improvement(draws, 1, 0.0, [0.5, 1.0])[0] == [1]


def test_believing_conditions_the_covariance_as_a_dense_formula() -> None:
    rng = np.random.default_rng(5)
    root = rng.normal(size=(5, 5))
    cov = root @ root.T
    both = [1, 3]
    dense = cov - cov[:, both] @ np.linalg.solve(cov[np.ix_(both, both)] + 0.2 * np.eye(2), cov[both])
    np.testing.assert_allclose(batches.condition(batches.condition(cov, 1, 0.2), 3, 0.2), dense, atol=1e-10)


def test_variance_reduction_spreads_over_two_clusters() -> None:
    x = np.concatenate([np.linspace(0, 0.3, 5), np.linspace(10, 10.2, 4)])
    rows, gains = batches.greedy_variance_reduction(kernel(x), 2, 0.01)
    assert {x[i] > 5 for i in rows} == {True, False}
    assert gains[0] > gains[1] > 0
    total = np.trace(kernel(x)) / 9
    after = kernel(x)
    for i in rows:
        after = batches.condition(after, i, 0.01)
    assert gains.sum() == pytest.approx(total - np.trace(after) / 9)


def test_determinant_is_that_of_the_greedy_search_by_hand() -> None:
    x = np.array([0.0, 0.1, 2.0, 5.0, 5.1])
    quality = np.array([1.0, 1.1, 0.8, 0.9, 1.0])
    L = kernel(x) * np.outer(quality, quality)
    chosen: list[int] = []
    for _ in range(3):
        rest = [i for i in range(5) if i not in chosen]
        chosen.append(max(rest, key=lambda i: np.linalg.det(L[np.ix_([*chosen, i], [*chosen, i])])))
    assert batches.determinantal(kernel(x), 3, quality) == chosen
    assert {0, 1} - set(chosen) and {3, 4} - set(chosen)


def test_determinantal_stops_where_the_rest_adds_nothing() -> None:
    assert len(batches.determinantal(np.ones((4, 4)), 3)) == 1


def test_gower_distance_by_hand_with_texts_and_gaps() -> None:
    table = pd.DataFrame({"a": [0.0, 10.0, np.nan], "b": [1.0, 1.0, 3.0], "k": ["x", "y", None]})
    # row 0 to 1: (1, 0, 1) over 3 columns; to 2: only b known in both, full range
    np.testing.assert_allclose(batches.gower_distance(0, table), [0.0, np.sqrt(2 / 3), 1.0])


def test_space_filling_takes_the_middle_then_the_corners() -> None:
    grid = pd.DataFrame([(a, b) for a in range(5) for b in range(5)], columns=["a", "b"])
    rows, distance = batches.space_filling(grid, 5)
    assert grid.iloc[rows[0]].tolist() == [2, 2]
    assert {tuple(r) for r in grid.iloc[rows[1:]].to_numpy()} == {(0, 0), (0, 4), (4, 0), (4, 4)}
    assert distance[1] == pytest.approx(0.5)


def test_space_filling_goes_away_from_what_is_tested() -> None:
    line = pd.DataFrame({"a": np.linspace(0, 1, 11)})
    rows, _ = batches.space_filling(line, 2, tested=pd.DataFrame({"a": [0.0]}))
    assert rows == [10, 5]


def test_space_filling_at_the_edges() -> None:
    line = pd.DataFrame({"a": [1.0, 1.0, 1.0]})
    assert batches.space_filling(line, 9)[0] == [0, 1, 2]
    assert batches.space_filling(line, 0)[0] == []
    with pytest.raises(ModelError, match="without columns"):
        batches.space_filling(line[[]], 1)

"""Tree ensembles as plain arrays: twins against scikit-learn, boxes, grids, damaged arrays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.tree import DecisionTreeRegressor, ExtraTreeRegressor

from wastelab.errors import ModelError
from wastelab.models import _tree_tables
from wastelab.models.tree_grid import TreeGrid
from wastelab.models.trees import Trees

N_FEATURES = 6


def table(n: int, seed: int, gaps: float = 0.08) -> tuple[np.ndarray, np.ndarray]:
    """Features with gaps, a column of 0 and 1, one of repeated values, and a target."""
    r = np.random.default_rng(seed)
    x = r.normal(size=(n, N_FEATURES))
    x[:, 3] = r.integers(0, 2, n)
    x[:, 4] = r.choice([0.0, 1.1, 1.9, 3.3], n)
    y = 20 * x[:, 0] + 5 * np.sin(3 * x[:, 1]) * x[:, 2] + 8 * x[:, 3] + 6 * x[:, 4] + r.normal(size=n)
    if gaps:
        x[r.random(x.shape) < gaps] = np.nan
    return x, y


X, Y = table(400, 1)
FULL, _ = table(400, 1, 0.0)
NEW, _ = table(700, 2)
NEW_FULL, _ = table(700, 2, 0.0)


def boosting(**settings_: object) -> HistGradientBoostingRegressor:
    return HistGradientBoostingRegressor(early_stopping=False, **settings_).fit(X, Y)


MODELS = {
    "31 leaves": lambda: boosting(max_iter=70),
    "12 leaves": lambda: boosting(max_iter=150, max_leaf_nodes=12, learning_rate=0.05),
    "60 leaves": lambda: boosting(max_iter=20, max_leaf_nodes=60, min_samples_leaf=2),
    "150 leaves": lambda: boosting(max_iter=10, max_leaf_nodes=150, min_samples_leaf=1),
    "absolute error": lambda: boosting(max_iter=10, loss="absolute_error"),
    "extra trees": lambda: ExtraTreesRegressor(20, random_state=0, n_jobs=1).fit(X, Y),
    "extra trees, no gaps": lambda: ExtraTreesRegressor(13, random_state=0, n_jobs=1).fit(FULL, Y),
    "forest": lambda: RandomForestRegressor(9, random_state=0, n_jobs=1).fit(X, Y),
    "small forest": lambda: RandomForestRegressor(9, max_leaf_nodes=9, random_state=0, n_jobs=1).fit(X, Y),
    "one tree": lambda: DecisionTreeRegressor(random_state=0).fit(X, Y),
    "one random tree": lambda: ExtraTreeRegressor(random_state=0).fit(FULL, Y),
    "stumps": lambda: boosting(max_iter=30, max_depth=1),
    "leaves only": lambda: boosting(max_iter=5, min_samples_leaf=300),
}
KEPT: dict[str, tuple[object, Trees]] = {}


def made(name: str) -> tuple[object, Trees]:
    if name not in KEPT:
        model = MODELS[name]()
        of = Trees.from_boosting if isinstance(model, HistGradientBoostingRegressor) else Trees.from_forest
        KEPT[name] = (model, of(model))
    return KEPT[name]


def rows(name: str) -> np.ndarray:
    return NEW_FULL if name in ("extra trees, no gaps", "one random tree") else NEW


@pytest.mark.parametrize("name", MODELS)
def test_predictions_are_those_of_the_library_to_the_last_bit(name: str) -> None:
    model, trees = made(name)
    x = rows(name)
    assert np.array_equal(trees.predict(x), model.predict(x))
    for n in (1, 2, 3, 5, 8, 9, 513):
        assert np.array_equal(trees.predict(x[:n]), model.predict(x[:n]))
    assert np.array_equal(trees.predict(x, threads=2), trees.predict(x))
    assert trees.predict(x[:0]).shape == (0,)
    kernel, arguments = trees.kernel
    assert kernel(x[7], *arguments) == model.predict(x[7:8])[0]


@pytest.mark.parametrize("name", ["31 leaves", "12 leaves", "60 leaves", "leaves only"])
def test_masks_and_walking_agree(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model, trees = made(name)
    assert trees._masks is not None
    monkeypatch.setattr(_tree_tables, "MASK_BYTES", 0)
    walked = Trees.from_boosting(model)
    assert walked._masks is None
    assert np.array_equal(walked.predict(NEW), trees.predict(NEW))
    axes = {0: np.linspace(-1, 1, 5), 4: [0.0, 1.5, 3.3]}
    assert np.array_equal(walked.predict_grid(NEW[:50], axes), trees.predict_grid(NEW[:50], axes))


def test_thresholds_on_the_edge_of_single_precision() -> None:
    """Numbers that single precision rounds onto a threshold go where scikit-learn sends them."""
    base = np.array([[1.0], [1.0 + 2.0**-22], [3.0], [1e-40], [-5.5], [16777217.0]])
    model = DecisionTreeRegressor().fit(base, np.arange(6.0))
    trees = Trees.from_forest(model)
    t = model.tree_.threshold[model.tree_.feature >= 0]
    near = np.concatenate([t, np.nextafter(t, np.inf), np.nextafter(t, -np.inf), t * (1 + 3e-8), t * (1 - 3e-8)])
    near = np.concatenate([near, near + 2.0**-25, near - 2.0**-25, near.astype(np.float32).astype(float)])
    assert np.array_equal(trees.predict(near[:, None]), model.predict(near[:, None]))


@pytest.mark.parametrize("name", ["extra trees", "forest", "small forest", "one tree"])
def test_leaves_are_those_of_apply(name: str) -> None:
    model, trees = made(name)
    applied = np.asarray(model.apply(NEW)).reshape(len(NEW), -1)
    assert np.array_equal(trees.leaves(NEW), applied)


@pytest.mark.parametrize("name", MODELS)
def test_arrays_lead_back(name: str) -> None:
    _, trees = made(name)
    again = Trees.from_arrays(trees.arrays())
    assert np.array_equal(again.predict(rows(name)), trees.predict(rows(name)))
    assert all(a.dtype.kind in "iufb" for a in trees.arrays().values())


@pytest.mark.parametrize("name", MODELS)
def test_rounded_values_sum_exactly_in_any_order(name: str) -> None:
    _, trees = made(name)
    x = rows(name)
    fixed = trees.rounded()
    assert np.abs(fixed.predict(x) - trees.predict(x)).max() <= (len(trees) + 1) / trees.divisor * 2.0**-31
    reached = fixed.value[fixed.leaves(x) + fixed.roots]
    order = np.random.default_rng(0).permutation(len(trees))
    assert np.array_equal((reached[:, order].sum(axis=1) + fixed.base) / fixed.divisor, fixed.predict(x))
    huge = Trees.from_arrays(
        {**trees.arrays(), "value": trees.value * 1e8, "base": np.asarray(trees.base * 1e8)}
    ).rounded()
    assert np.abs(huge.predict(x) / 1e8 - trees.predict(x)).max() < 1e-6


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize(
    "axes",
    [
        {4: [0.0, 1.0, 1.1, 1.5, 3.3]},
        {0: np.linspace(-2, 2, 11), 4: [-1.0, 1.1, 9.0]},
        {1: [0.3], 5: [-0.5, 0.5], 3: [0.0, 1.0]},
        {k: [-0.4, 0.4] for k in range(4)},
    ],
)
def test_grids_are_predictions_of_all_combinations(name: str, axes: dict[int, list[float]]) -> None:
    _, trees = made(name)
    x = rows(name)[:40]
    got = trees.predict_grid(x, axes)
    index = np.indices(got.shape).reshape(got.ndim, -1)
    every = x[index[0]].copy()
    for k, (feature, values) in enumerate(axes.items()):
        every[:, feature] = np.asarray(values)[index[k + 1]]
    assert np.array_equal(got.ravel(), trees.rounded().predict(every))
    shuffled = np.random.default_rng(1).permutation(len(x))
    assert np.array_equal(trees.predict_grid(x[shuffled], axes), got[shuffled])


def test_grid_of_many_rows_in_threads_and_lattice_order() -> None:
    _, trees = made("31 leaves")
    steps = np.stack(np.meshgrid(*[np.linspace(-1, 1, 9)] * 3, indexing="ij"), -1).reshape(-1, 3)
    x = np.zeros((len(steps), N_FEATURES))
    x[:, :3] = steps
    grid = TreeGrid(trees, {4: [0.0, 2.0, 3.0]})
    assert np.array_equal(grid.predict(x, threads=2), grid.predict(x))
    x[:, 4] = 2.0
    assert np.array_equal(grid.predict(x)[:, 1], trees.rounded().predict(x))
    assert grid.predict(x[:0]).shape == (0, 3)


@pytest.mark.parametrize(
    ("axes", "message"),
    [
        ({}, "0 axes"),
        ({9: [1.0]}, "features 0 to 5"),
        ({0: []}, "finite numbers"),
        ({0: [1.0, 1.0]}, "above the one before"),
        ({0: [np.nan]}, "finite numbers"),
    ],
)
def test_impossible_grids(axes: dict[int, list[float]], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        made("stumps")[1].predict_grid(NEW[:2], axes)


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["31 leaves", "extra trees", "one tree", "leaves only"]),
    st.integers(0, 699),
    st.floats(0, 3),
    st.integers(0, 2**32 - 1),
)
def test_no_sample_of_a_box_is_outside_its_bounds(name: str, row: int, size: float, seed: int) -> None:
    _, trees = made(name)
    r = np.random.default_rng(seed)
    centre = NEW[row]
    low, high = centre - size * r.random(N_FEATURES), centre + size * r.random(N_FEATURES)
    least, most = trees.bounds(low, high)
    inside = np.where(np.isnan(low), low, low + r.random((40, N_FEATURES)) * (high - low))
    inside = np.vstack([inside, low, high, centre])
    got = trees.predict(np.clip(inside, low, high))
    assert least <= got.min() and got.max() <= most


@pytest.mark.parametrize("name", MODELS)
def test_bounds_of_a_point_are_its_prediction(name: str) -> None:
    _, trees = made(name)
    x = rows(name)
    least, most = trees.bounds(x, x)
    assert np.array_equal(least, trees.predict(x)) and np.array_equal(most, least)
    wide = np.full(N_FEATURES, np.inf)
    low, high = trees.bounds(-wide, wide)
    ends = np.append(trees.roots[1:], len(trees.feature))
    leaves = [trees.value[a:b][trees.feature[a:b] < 0] for a, b in zip(trees.roots, ends, strict=True)]
    every = [(trees.base + sum(f(v) for v in leaves)) / trees.divisor for f in (np.min, np.max)]
    assert every[0] <= low + 1e-9 and high - 1e-9 <= every[1]
    if x is NEW_FULL:  # elsewhere some leaves are for missing features only, which such a box leaves out
        assert (low, high) == pytest.approx(every)


def test_bounds_of_one_tree_are_met() -> None:
    _, trees = made("one tree")
    r = np.random.default_rng(5)
    low, high = np.full(N_FEATURES, -0.5), np.full(N_FEATURES, 0.5)
    got = trees.predict(low + r.random((200000, N_FEATURES)) * (high - low))
    least, most = trees.bounds(low, high)
    assert (got.min(), got.max()) == (least, most)


def test_impossible_boxes() -> None:
    _, trees = made("stumps")
    zero = np.zeros(N_FEATURES)
    with pytest.raises(ModelError, match=r"feature 2: from 1\.0 to 0\.0"):
        trees.bounds(np.eye(N_FEATURES)[2], zero)
    with pytest.raises(ModelError, match="missing"):
        trees.bounds(zero * np.nan, zero)
    with pytest.raises(ModelError, match="as many"):
        trees.bounds(np.zeros((2, N_FEATURES)), np.zeros((1, N_FEATURES)))


def test_filled_trees_take_gaps_themselves() -> None:
    x, y = table(300, 4)
    gaps = [0, 3]
    empty = np.isnan(x)
    median = np.nanmedian(x, axis=0)
    filled = np.column_stack([np.where(empty, median, x), empty[:, gaps]])
    model = ExtraTreesRegressor(25, random_state=0, n_jobs=1).fit(filled, y)
    trees = Trees.from_forest(model).filled(median, gaps)
    assert trees.n_features == N_FEATURES
    assert np.array_equal(trees.predict(x), model.predict(filled))
    with pytest.raises(ModelError, match="columns of gaps"):
        trees.filled(median, gaps)


def test_trees_over_a_wider_table() -> None:
    _, trees = made("12 leaves")
    wide = np.zeros((len(NEW), 9))
    columns = [8, 0, 3, 2, 5, 7]
    wide[:, columns] = NEW
    assert np.array_equal(trees.over(columns, 9).predict(wide), trees.predict(NEW))
    with pytest.raises(ModelError, match="do not fit"):
        trees.over([0, 1, 2, 3, 4, 9], 9)


@pytest.mark.parametrize("bad", [NEW[:, :5], NEW[0], np.zeros((2, 2, 6)), [["a"] * 6], {"a": 1}])
def test_wrong_features(bad: object) -> None:
    with pytest.raises(ModelError, match="expected"):
        made("stumps")[1].predict(bad)


def test_models_that_are_no_sums_of_numbers_are_refused() -> None:
    with pytest.raises(ModelError, match="not a fitted"):
        Trees.from_boosting(HistGradientBoostingRegressor())
    with pytest.raises(ModelError, match="not a fitted"):
        Trees.from_forest(ExtraTreesRegressor())
    with pytest.raises(ModelError, match="logarithm"):
        Trees.from_boosting(HistGradientBoostingRegressor(loss="poisson", max_iter=2).fit(X, np.exp(Y / 50)))
    with pytest.raises(ModelError, match="several outputs"):
        Trees.from_forest(RandomForestRegressor(2).fit(FULL, np.column_stack([Y, Y])))
    codes = HistGradientBoostingRegressor(max_iter=3, categorical_features=[4]).fit(
        np.where(np.arange(N_FEATURES) == 4, FULL.round(), FULL), FULL[:, 4].round() % 2
    )
    with pytest.raises(ModelError, match="native categories"):
        Trees.from_boosting(codes)


def _change(field: str, index: int, value: object) -> dict[str, np.ndarray]:
    arrays = {k: v.copy() for k, v in made("31 leaves")[1].arrays().items()}
    if arrays[field].ndim:
        arrays[field][index] = value
    else:
        arrays[field] = np.asarray(value)
    return arrays


@pytest.mark.parametrize(
    ("field", "index", "value"),
    [
        ("feature", 0, 6), ("feature", 0, -2), ("threshold", 0, np.nan), ("left", 0, 0), ("left", 5, 1),
        ("left", 0, 10**6), ("right", 0, -1), ("right", 0, 1), ("value", 3, np.inf), ("value", 3, np.nan),
        ("roots", 1, 0), ("roots", 0, 1), ("roots", 1, 10**6), ("base", 0, np.nan), ("divisor", 0, 0),
        ("n_features", 0, 0), ("n_features", 0, 2.5), ("feature", 0, -1), ("divisor", 0, "1"),
    ],
)  # fmt: skip
def test_tampered_arrays_are_refused(field: str, index: int, value: object) -> None:
    with pytest.raises(ModelError, match="tree ensemble"):
        Trees.from_arrays(_change(field, index, value))


def test_missing_and_misshapen_arrays_are_refused() -> None:
    arrays = made("31 leaves")[1].arrays()
    for field in arrays:
        with pytest.raises(ModelError, match=f"'{field}' is missing"):
            Trees.from_arrays({k: v for k, v in arrays.items() if k != field})
        if arrays[field].ndim:
            for other in (arrays[field][:-1], arrays[field][None], arrays[field].astype("U20")):
                with pytest.raises(ModelError, match="tree ensemble"):
                    Trees.from_arrays({**arrays, field: other})
    with pytest.raises(ModelError, match="2147483647"):
        Trees.from_arrays({**arrays, "left": arrays["left"].astype(np.int64) + 2**40})


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_random_damage_never_goes_unseen_or_astray(seed: int) -> None:
    """Whatever bytes change, the answer is an error, or trees that predict finite numbers."""
    r = np.random.default_rng(seed)
    arrays = {k: np.array(v) for k, v in made("12 leaves")[1].arrays().items()}
    field = str(r.choice(["feature", "left", "right", "roots", "threshold", "value", "missing_left"]))
    raw = arrays[field].view(np.uint8)
    at = r.integers(0, len(raw), 2)
    raw[at] = r.integers(0, 2 if field == "missing_left" else 256, 2)
    try:
        trees = Trees.from_arrays(arrays)
    except ModelError:
        return
    assert np.isfinite(trees.predict(NEW[:20])).all() or field == "value"
    assert trees.predict_grid(NEW[:2], {0: [0.0, 1.0]}).shape == (2, 2)
    assert len(trees.bounds(FULL[:2], FULL[:2])) == 2


def test_no_trees_at_all() -> None:
    none = {k: v[:0] if v.ndim else v for k, v in made("stumps")[1].arrays().items()}
    trees = Trees.from_arrays({**none, "base": np.asarray(2.5)})
    assert np.array_equal(trees.predict(NEW[:3]), [2.5, 2.5, 2.5])
    assert np.array_equal(trees.predict_grid(NEW[:1], {0: [0.0, 1.0]}), [[2.5, 2.5]])
    assert trees.bounds(FULL[0], FULL[1].clip(FULL[0])) == (2.5, 2.5)

"""Compiled models: twins against the learners, raw inputs, grids, files, damage, and what loading imports."""

from __future__ import annotations

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

from wastelab.errors import ModelError, UnknownNameError
from wastelab.models import _gp_predict_kernels as kernels
from wastelab.models.compiled import CompiledModel
from wastelab.models.compiled_course import CompiledCourse
from wastelab.models.compiled_gp import GaussianMean
from wastelab.models.compiled_polynomial import Polynomial
from wastelab.models.design import Design, Feature, Ratio
from wastelab.models.gp import GaussianProcess
from wastelab.models.learners import Blend, Boosting, ExtraTrees, Mean, Ridge

AGES = np.array([1.0, 3.0, 7.0, 28.0, 90.0])
FEATURES = (
    Feature("cement", "kg/m3", "input", program=Ratio({"cement": 1.0})),
    Feature("ash", "kg/m3", "input", program=Ratio({"ash": 1.0})),
    Feature("water", "kg/m3", "input", program=Ratio({"water": 1.0})),
    Feature("w/b", "", "derived", program=Ratio({"water": 1.0}, {"cement": 1.0, "ash": 0.4}, 1.0, 0.5)),
    Feature("kind=A", "", "category"),
    Feature("age", "ln d", "age", monotone=1, program=Ratio({"age_d": 1.0}), log=True),
)
INPUTS = ("cement", "ash", "water", "kind=A", "age_d")


def raw_table(n: int, seed: int, gaps: float = 0.1) -> np.ndarray:
    r = np.random.default_rng(seed)
    raw = np.column_stack([
        r.uniform(200, 400, n), r.uniform(0, 150, n), r.uniform(140, 200, n), r.integers(0, 2, n), r.choice(AGES, n),
    ])  # fmt: skip
    raw[r.random(n) < gaps, 1] = np.nan
    return raw


def slow_design(raw: np.ndarray) -> Design:
    c, a, w, k, t = raw.T
    return Design(np.column_stack([c, a, w, (w + 0.5) / (c + 0.4 * a), k, np.log(t)]), FEATURES)


def target(raw: np.ndarray, seed: int) -> np.ndarray:
    c, a, w, k, t = raw.T
    clean = 60 * np.exp(-1.5 * w / c) * (1 + 0.001 * np.nan_to_num(a)) * np.log1p(t) * (1 + 0.1 * k) + 1.0
    return np.asarray(clean * np.exp(0.05 * np.random.default_rng(seed).normal(size=len(c))))


RAW = raw_table(260, 1)
DESIGN = slow_design(RAW)
Y = target(RAW, 2)
MIX = np.arange(260) // 3
NEW = raw_table(300, 3)
NEW_DESIGN = slow_design(NEW)


@pytest.fixture(scope="module")
def blend() -> Blend:
    members = [
        ("boosting", Boosting(max_iter=80)),
        ("extra_trees", ExtraTrees(n_estimators=20)),
        ("gaussian_process", GaussianProcess(derived=("w/b",))),
        ("ridge", Ridge()),
        ("mean", Mean()),
    ]
    return Blend(members, np.array([0.3, 0.25, 0.3, 0.1, 0.05])).fit(DESIGN, Y, mix=MIX)


@pytest.fixture(scope="module")
def compiled(blend: Blend) -> CompiledModel:
    return CompiledModel.from_learner(blend, FEATURES, floor=0.0, target="strength", unit="MPa")


def test_members_are_those_of_the_blend(blend: Blend) -> None:
    exact = CompiledModel.from_learner(blend, FEATURES, rounded=False)
    slow, fast = blend.predict_members(NEW_DESIGN), exact.predict_members(NEW_DESIGN.values)
    assert np.array_equal(fast["boosting"], slow["boosting"])
    assert np.array_equal(fast["mean"], slow["mean"])
    assert np.allclose(fast["extra_trees"], slow["extra_trees"], rtol=0, atol=1e-8)  # courses are summed on a grid
    for name in ("gaussian_process", "ridge"):
        assert np.abs(fast[name] - slow[name]).max() < 1e-11 * np.std(Y)
    assert np.allclose(exact.predict(NEW_DESIGN.values), blend.predict(NEW_DESIGN), rtol=0, atol=1e-8)


def test_rounding_is_small_and_rows_are_independent(blend: Blend, compiled: CompiledModel) -> None:
    x = NEW_DESIGN.values
    got = compiled.predict(x)
    assert np.abs(got - blend.predict(NEW_DESIGN)).max() < 1e-7
    assert np.array_equal(compiled.predict(x, threads=2), got)
    assert np.array_equal([compiled.predict(x[i : i + 1])[0] for i in range(20)], got[:20])
    big = np.tile(x, (4, 1))
    assert np.array_equal(compiled.predict(big, threads=2), np.tile(got, 4))
    assert compiled.predict(x[:0]).shape == (0,)
    assert got.min() >= 0.0


def test_no_prediction_falls_with_age(compiled: CompiledModel) -> None:
    days = np.geomspace(0.5, 400, 60)
    course = compiled.predict_inputs(NEW, {"age_d": days})
    assert course.shape == (300, 60)
    members = [m for m in compiled.members if m.name not in ("ridge", "mean")]
    for member in members:
        one = CompiledModel((member,), FEATURES).predict_inputs(NEW, {"age_d": days})
        assert np.diff(one, axis=1).min() >= -1e-12
    assert np.diff(course, axis=1).min() >= -1e-12


def test_raw_inputs_give_the_design(compiled: CompiledModel) -> None:
    assert compiled.inputs == INPUTS
    assert np.array_equal(compiled.design_values(NEW), NEW_DESIGN.values, equal_nan=True)
    assert np.array_equal(compiled.predict_inputs(NEW), compiled.predict(NEW_DESIGN.values))
    odd = NEW[:3].copy()
    odd[0, 4], odd[1, :2], odd[2, 4] = 0.0, 0.0, -1.0  # no logarithm, no denominator
    values = compiled.design_values(odd)
    assert np.isnan(values[[0, 1, 2], [5, 3, 5]]).all()


def test_grids_are_predictions_of_all_combinations(blend: Blend, compiled: CompiledModel) -> None:
    days, water = np.array([1.0, 2.0, 5.0, 28.0, 200.0]), np.array([-1.0, 0.0, 1.0])
    x = NEW_DESIGN.values[:25]
    for axes in (
        {"age": np.log(days)},
        {"kind=A": water, "age": np.log(days)},
        {"age": np.log(days), "cement": [250.0, 350.0]},
        {"cement": [250.0, 350.0], "ash": [10.0, 20.0]},
    ):
        got = compiled.predict_grid(x, axes)
        index = np.indices(got.shape).reshape(got.ndim, -1)
        every = x[index[0]].copy()
        for k, (name, values) in enumerate(axes.items()):
            every[:, compiled.names.index(name)] = np.asarray(values)[index[k + 1]]
        assert np.abs(got.ravel() - compiled.predict(every)).max() < 1e-11 * np.std(Y)
        assert np.abs(got.ravel() - blend.predict(Design(every, FEATURES))).max() < 1e-7
        assert np.array_equal(compiled.predict_grid(x, axes, threads=2), got)


def test_axes_that_do_not_fit(compiled: CompiledModel) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'age'"):
        compiled.predict_grid(NEW_DESIGN.values, {"agee": [1.0]})
    with pytest.raises(UnknownNameError, match="no input 'age'"):
        compiled.predict_inputs(NEW, {"age": [1.0]})
    with pytest.raises(ModelError, match="feeds 'water', 'w/b'"):
        compiled.predict_inputs(NEW, {"water": [150.0]})
    with pytest.raises(ModelError, match="above the one before"):
        compiled.predict_inputs(NEW, {"age_d": [7.0, 3.0]})
    with pytest.raises(ModelError, match="expected"):
        compiled.predict_inputs(NEW[:, :4])
    with pytest.raises(ModelError, match="expected"):
        compiled.predict(NEW)


@pytest.mark.parametrize("form", ["product-3/2", "matern-3/2", "matern-5/2"])
@pytest.mark.parametrize("monotone", [0, 1])
@pytest.mark.parametrize("transform", ["identity", "sqrt", "log"])
def test_gaussian_means_of_all_kinds(form: str, monotone: int, transform: str) -> None:
    features = (*FEATURES[:5], Feature("age", "ln d", "age", monotone=monotone))
    design = Design(DESIGN.values[:90], features)
    gp = GaussianProcess(form=form, transform=transform, derived=("w/b",), steps=0)
    gp.fit(design, Y[:90], mix=MIX[:90])
    mean = GaussianMean.from_process(gp, 6)
    new = Design(NEW_DESIGN.values, features)
    expected = gp.predict(new)
    assert np.abs(mean.predict(new.values) - expected).max() < 1e-11 * np.std(Y)
    again = GaussianMean.from_arrays(mean.arrays())
    assert np.array_equal(again.predict(new.values), mean.predict(new.values))
    grid = mean.predict_grid(new.values[:9], {5: np.log(AGES), 0: [220.0, 380.0]})
    every = np.repeat(new.values[:9], 10, axis=0)
    every[:, 5], every[:, 0] = np.tile(np.repeat(np.log(AGES), 2), 9), np.tile([220.0, 380.0], 45)
    assert np.abs(grid.ravel() - gp.predict(Design(every, features))).max() < 1e-11 * np.std(Y)


def test_gaussian_mean_of_the_library() -> None:
    """A product of Matern-3/2 functions in one column is scikit-learn's own Matern."""
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import Matern, WhiteKernel

    r = np.random.default_rng(0)
    x = np.sort(r.normal(size=40))[:, None]
    y = np.sin(2 * x[:, 0]) + 0.1 * r.normal(size=40)
    model = GaussianProcessRegressor(Matern(0.7, nu=1.5) + WhiteKernel(0.01), optimizer=None).fit(x, y)
    mean = GaussianMean.from_arrays({
        "n_features": 1, "columns": [0], "median": [0.0], "gaps": np.zeros(0, dtype=int), "mean": [0.0], "sd": [1.0],
        "age": -1, "y_mean": 0.0, "y_sd": 1.0, "shift": 0.0, "transform": 0, "form": 0, "knots": [],
        "knot_weights": [], "tests": x, "alpha": model.alpha_.ravel(), "part_start": [0, 1], "part_column": [0],
        "part_inverse": [np.sqrt(3) / 0.7], "part_variance": [1.0],
    })  # fmt: skip
    new = r.normal(size=(200, 1))
    assert np.abs(mean.predict(new) - model.predict(new)).max() < 1e-12


def test_exponential_of_the_kernels() -> None:
    a = np.concatenate([np.linspace(-700, 700, 200001), np.geomspace(1e-300, 1, 1000), [0.0]])
    out = np.ones_like(a)
    kernels.finish_product(a, out)
    assert np.abs(out / np.exp(-a) - 1).max() < 1e-15
    beyond = np.ones(2)
    kernels.finish_product(np.array([1e4, np.inf]), beyond)
    assert (beyond < 1e-300).all()


@pytest.mark.parametrize("degree", [1, 2])
@pytest.mark.parametrize("monotone", [0, 1])
def test_polynomials(degree: int, monotone: int) -> None:
    features = (*FEATURES[:5], Feature("age", "ln d", "age", monotone=monotone))
    ridge = Ridge(degree).fit(Design(DESIGN.values, features), Y)
    member = CompiledModel.from_learner(ridge, features).members[0].model
    courses = getattr(ridge, "course_", None)
    kept_from_falling = courses is not None and len(courses.knots) > 0
    assert isinstance(member, CompiledCourse if kept_from_falling else Polynomial)
    assert kept_from_falling == (degree == 2 and monotone == 1)
    raw = NEW.copy()
    raw[:9, 4] = 400.0
    new = slow_design(raw).values
    expected = ridge.predict(Design(new, features))
    got = member.predict(new)
    assert np.array_equal(np.isnan(got), np.isnan(expected)) and np.isnan(got[:9]).all() == (degree == 2)
    there = ~np.isnan(got)
    assert there.sum() > 50 and np.abs(got - expected)[there].max() < 1e-10
    assert np.array_equal(type(member).from_arrays(member.arrays()).predict(new), got, equal_nan=True)
    grid = member.predict_grid(new[:20], {5: np.log(AGES)})
    every = np.repeat(new[:20], len(AGES), axis=0)
    every[:, 5] = np.tile(np.log(AGES), 20)
    assert np.allclose(grid.ravel(), ridge.predict(Design(every, features)), rtol=0, atol=1e-10, equal_nan=True)


def test_a_file_leads_back_with_the_same_bytes(compiled: CompiledModel, tmp_path: Path) -> None:
    path = compiled.save(tmp_path / "model.npz")
    again = CompiledModel.load(path)
    assert np.array_equal(again.predict_inputs(NEW), compiled.predict_inputs(NEW))
    assert repr(again) == repr(compiled) and repr(again).startswith("CompiledModel of strength [MPa], 6 features:")
    assert (again.target, again.unit, again.floor, again.inputs) == ("strength", "MPa", 0.0, INPUTS)
    assert [(m.name, m.weight, m.kind) for m in again.members] == [(m.name, m.weight, m.kind) for m in compiled.members]
    assert again.save(tmp_path / "again.npz").read_bytes() == path.read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["again.npz", "model.npz"]


def test_loading_and_predicting_needs_neither_scikit_learn_nor_pandas(compiled: CompiledModel, tmp_path: Path) -> None:
    path = compiled.save(tmp_path / "model.npz")
    np.save(tmp_path / "rows.npy", NEW)
    code = (
        "import sys, numpy as np\n"
        "from wastelab.models.compiled import CompiledModel\n"
        f"m = CompiledModel.load({str(path)!r})\n"
        f"x = np.load({str(tmp_path / 'rows.npy')!r})\n"
        "out = m.predict_inputs(x), m.predict_inputs(x[:2], {'age_d': [1.0, 28.0]})\n"
        f"np.save({str(tmp_path / 'out.npy')!r}, out[0])\n"
        "print([k for k in ('sklearn', 'pandas', 'xarray', 'scipy.stats', 'scipy.optimize', 'pint',"
        " 'matplotlib', 'pydantic') if k in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert np.array_equal(np.load(tmp_path / "out.npy"), compiled.predict_inputs(NEW))


def _written(path: Path, arrays: dict[str, np.ndarray]) -> Path:
    with path.open("wb") as file:
        np.savez(file, **arrays)
    return path


def test_tampered_files_are_refused(compiled: CompiledModel, tmp_path: Path) -> None:
    arrays = compiled.arrays()
    path = tmp_path / "bad.npz"
    for key in arrays:
        with pytest.raises(ModelError, match=r"bad\.npz"):
            CompiledModel.load(_written(path, {k: v for k, v in arrays.items() if k != key}))
    for key in ("member0/base/value", "member2/alpha", "member3/linear", "member1/knots", "member2/part_inverse"):
        broken = arrays[key].copy()
        broken[0] = np.nan
        with pytest.raises(ModelError, match="member '"):
            CompiledModel.load(_written(path, {**arrays, key: broken}))
    for key, value in {
        "member2/columns": np.array([0, 1, 2, 3, 4, 77]), "member2/part_column": arrays["member2/part_column"] + 99,
        "member2/part_start": arrays["member2/part_start"][::-1], "member2/age": np.asarray(50),
        "member2/sd": -arrays["member2/sd"], "member2/tests": arrays["member2/tests"][:-1],
        "member2/form": np.asarray(7), "member1/age": np.asarray(6), "member1/knots": arrays["member1/knots"][::-1],
        "member3/gaps": np.array([9]), "member3/median": arrays["member3/median"][:-1], "member3/sd": np.zeros(3),
    }.items():  # fmt: skip
        with pytest.raises(ModelError, match=r"bad\.npz"):
            CompiledModel.load(_written(path, {**arrays, key: value}))


@pytest.mark.parametrize(
    ("where", "value"),
    [
        (("schema",), 2), (("members", 0, "kind"), "pickle"), (("members", 0, "weight"), "x"),
        (("members", 0, "weight"), float("nan")), (("features",), []), (("features", 0, "program", "scale"), None),
        (("features", 0, "program", "numerator"), [1]), (("floor",), "0"), (("members",), 3),
    ],
)  # fmt: skip
def test_tampered_descriptions_are_refused(
    compiled: CompiledModel, tmp_path: Path, where: tuple[object, ...], value: object
) -> None:
    arrays = compiled.arrays()
    meta = json.loads(arrays["description"].tobytes())
    at = meta
    for key in where[:-1]:
        at = at[key]
    at[where[-1]] = value
    arrays["description"] = np.frombuffer(json.dumps(meta).encode(), dtype=np.uint8)
    with pytest.raises(ModelError, match=r"bad\.npz"):
        CompiledModel.load(_written(tmp_path / "bad.npz", arrays))


def test_files_that_are_no_models(compiled: CompiledModel, tmp_path: Path) -> None:
    path = compiled.save(tmp_path / "model.npz")
    whole = path.read_bytes()
    bad = tmp_path / "bad.npz"
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 0x10
    single = io.BytesIO()
    np.save(single, np.zeros(3))
    objects = io.BytesIO()
    np.savez(objects, description=np.array([{"a": 1}], dtype=object), allow_pickle=True)
    other = io.BytesIO()
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("description", b"{}")
    contents = (whole[: len(whole) // 2], bytes(flipped), b"", b"hello", single.getvalue(), objects.getvalue())
    for content in (*contents, other.getvalue()):
        bad.write_bytes(content)
        with pytest.raises(ModelError, match=r"bad\.npz"):
            CompiledModel.load(bad)
    with pytest.raises(ModelError, match=r"nothing\.npz"):
        CompiledModel.load(tmp_path / "nothing.npz")


def test_what_cannot_be_compiled(blend: Blend) -> None:
    with pytest.raises(ModelError, match="cannot be compiled"):
        CompiledModel.from_learner(object(), FEATURES)
    with pytest.raises(ModelError, match="not fitted"):
        CompiledModel.from_model(object())
    with pytest.raises(ModelError, match="not fitted"):
        GaussianMean.from_process(GaussianProcess(), 6)
    with pytest.raises(ModelError, match="takes 6 features"):
        CompiledModel((CompiledModel.from_learner(Mean().fit(DESIGN, Y), FEATURES).members), FEATURES[:3])

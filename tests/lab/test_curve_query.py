"""Curves: one with all that is known of it; many on a common axis; the cache may be lost, damaged or outdated."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import builders as b
import numpy as np
import pytest
import xarray as xr

from wastelab.errors import LabError, MissingDataError, UnknownNameError
from wastelab.instruments.base import Variable
from wastelab.lab import cache
from wastelab.lab.curve_query import curve, curve_arrays, curves
from wastelab.lab.lab import Lab


def put(lab: Lab, code: str, curve: dict[str, Variable], technique: str = "XRD", **more: Any) -> str:
    return b.measure(lab, code, technique, curve=curve, basis="", **more)


def line(x: Any, y: Any, *, units: str = "counts", axis: str = "two_theta", **more: Any) -> dict[str, Variable]:
    """A synthetic curve along an axis in degrees."""
    out = {
        axis: Variable((axis,), np.asarray(x, float), "degree"),
        "intensity": Variable((axis,), np.asarray(y), units),
    }
    out |= {name: Variable((axis,), np.asarray(v, float), "s") for name, v in more.items()}
    return out


def test_one_curve_comes_back_whole(lab: Lab) -> None:
    b.sample(lab, "A")
    pattern = b.pattern(1)
    uid = put(lab, "A", pattern, conditions=json.dumps({"anode": "Cu"}), completeness="declared")
    data = curve(lab.store, "A", "衍射")
    assert data["intensity"].dtype == np.int32 and (data["intensity"].values == pattern["intensity"].data).all()
    assert (data["two_theta"].values == pattern["two_theta"].data).all()
    assert data["intensity"].attrs["units"] == "counts" and data["two_theta"].attrs["units"] == "degree"
    known = {"uid": uid, "sample": "A", "technique": "XRD", "status": "draft", "completeness": "declared"}
    assert {k: data.attrs[k] for k in known} == known and json.loads(data.attrs["conditions"]) == {"anode": "Cu"}
    assert len(data.attrs["curve_sha256"]) == 64


def test_several_curves_are_listed(lab: Lab) -> None:
    b.sample(lab, "A")
    first = put(lab, "A", b.pattern(1), replicate=1, method="fast", measured_at="2026-03-01")
    second = put(lab, "A", b.pattern(2), replicate=2, measured_at="2026-03-05")
    with pytest.raises(LabError, match="2 XRD curves") as error:
        curve(lab.store, "A", "XRD")
    assert first in str(error.value) and second in str(error.value)
    for options, uid in (({"replicate": 1}, first), ({"uid": second}, second), ({"method": "fast"}, first),
                         ({"latest": True}, second)):  # fmt: skip
        assert curve_arrays(lab.store, "A", "XRD", **options)[1]["uid"] == uid
    lab.set_status(second, "retracted", by="Wang", reason="moved")
    assert curve(lab.store, "A", "XRD").attrs["uid"] == first
    assert curve(lab.store, "A", "XRD", status="retracted").attrs["uid"] == second
    with pytest.raises(MissingDataError, match="None of the 2 XRD curves of A fits"):
        curve(lab.store, "A", "XRD", replicate=9)


def test_curves_of_mixes_and_specimens(lab: Lab) -> None:
    b.mix(lab, "M", {"raw/limestone": 1.0})
    b.strengths(lab, "M", [30.0])
    x = np.arange(5.0)
    heat = {"time": Variable(("time",), x, "h"), "heat_flow": Variable(("time",), x**2, "mW/g")}
    b.measure(lab, "M", "calorimetry", curve=heat, kind="mix")
    b.measure(lab, "M-S1", "strength", curve=heat, kind="specimen")
    assert curve(lab.store, "M", "calorimetry")["heat_flow"].values.tolist() == (x**2).tolist()
    assert curve(lab.store, "M-S1", "strength").attrs["sample"] == "M-S1"


def test_what_is_missing_is_said(lab: Lab) -> None:
    b.sample(lab, "RM-1")
    put(lab, "RM-1", b.pattern(1))
    with pytest.raises(MissingDataError, match="RM-1 has no TG curve; it has XRD"):
        curve(lab.store, "RM-1", "TG")
    with pytest.raises(UnknownNameError, match="Did you mean 'RM-1'"):
        curve(lab.store, "RM-l", "XRD")
    with pytest.raises(UnknownNameError, match="XRD"):
        curve(lab.store, "RM-1", "XRDD")
    with pytest.raises(MissingDataError, match="No TG curve"):
        curves(lab.store, "TG")


def test_equal_axes_are_stacked_as_measured(lab: Lab) -> None:
    for n in range(3):
        b.sample(lab, f"S{n}", "fly_ash" if n else "red_mud")
        put(lab, f"S{n}", b.pattern(n), replicate=n + 1)
    data = curves(lab.store, "XRD")
    assert data["intensity"].dims == ("measurement", "two_theta") and data["intensity"].dtype == np.int32
    for n in range(3):
        assert (data["intensity"].values[n] == b.pattern(n)["intensity"].data).all()
    assert data["sample"].values.tolist() == ["S0", "S1", "S2"] and data["replicate"].values.tolist() == [1, 2, 3]
    assert data.attrs["stacking"] == "all on one axis, stacked as measured"
    assert curves(lab.store, "XRD", waste_class="fly_ash")["sample"].values.tolist() == ["S1", "S2"]
    assert curves(lab.store, "XRD", samples=["S2", "S0"])["sample"].values.tolist() == ["S0", "S2"]
    cut = curves(lab.store, "XRD", range=(5.1, 5.5))["two_theta"].values
    assert cut[0] == pytest.approx(5.1) and cut[-1] == pytest.approx(5.5) and len(cut) == 21
    with pytest.raises(LabError, match=r"run from 5 to 5\.98 degree"):
        curves(lab.store, "XRD", range=(20, 30))


def test_different_axes_need_a_stated_grid(new_lab: Any) -> None:
    lab = new_lab()
    axes = ([5.0, 5.5, 6.0, 7.0], [5.25, 6.25, 7.25])
    for n, x in enumerate(axes):
        b.sample(lab, f"S{n}")
        put(lab, f"S{n}", line(x, 10.0 * np.asarray(x)))
    with pytest.raises(LabError, match=r"axes two_theta differ.*step"):
        curves(lab.store, "XRD")
    data = curves(lab.store, "XRD", step=0.25)
    grid = data["two_theta"].values
    assert grid.tolist() == np.arange(5.0, 7.3, 0.25).tolist()
    for n, x in enumerate(axes):
        inside = (grid >= min(x)) & (grid <= max(x))
        assert np.isnan(data["intensity"].values[n][~inside]).all()  # never extrapolated
        assert data["intensity"].values[n][inside] == pytest.approx(10.0 * grid[inside])  # linear is exact
    assert "interpolated linearly onto 10 points" in data.attrs["stacking"]
    part = curves(lab.store, "XRD", step=0.5, range=(5.5, 7.0))
    assert part["two_theta"].values.tolist() == [5.5, 6.0, 6.5, 7.0]
    for wrong in ({"step": 0.0}, {"step": -1.0}, {"step": 0.5, "range": (9.0, 5.0)}):
        with pytest.raises(LabError, match=r"step|no point"):
            curves(lab.store, "XRD", **wrong)


def test_interpolation_equals_a_loop(new_lab: Any) -> None:
    lab = new_lab()
    rng = np.random.default_rng(5)
    made = []
    for n in range(6):
        x = np.round(rng.uniform(5, 8, 30), 2)
        x = np.sort(x)[:: (-1 if n % 2 else 1)]
        x[7] = x[8]
        made.append((x, rng.normal(100, 10, 30)))
        b.sample(lab, f"S{n}")
        put(lab, f"S{n}", line(*made[-1]))
    data = curves(lab.store, "XRD", step=0.1)
    for n, (x, y) in enumerate(made):
        by_place: dict[float, list[float]] = {}
        for px, py in zip(x, y, strict=True):
            by_place.setdefault(px, []).append(py)
        points = sorted(by_place)
        for g, value in zip(data["two_theta"].values, data["intensity"].values[n], strict=True):
            if g < points[0] or g > points[-1]:
                assert np.isnan(value)
                continue
            right = next(i for i, p in enumerate(points) if p >= g)
            left = right if points[right] == g else right - 1
            a, z = np.mean(by_place[points[left]]), np.mean(by_place[points[right]])
            share = 0.0 if left == right else (g - points[left]) / (points[right] - points[left])
            assert value == pytest.approx(a + share * (z - a), rel=1e-12)
    assert "averaged in 6 curves" in data.attrs["stacking"]


def test_counts_and_counts_per_second_are_not_mixed(new_lab: Any) -> None:
    lab = new_lab()
    x = [5.0, 6.0, 7.0]
    for n, (unit, told, seconds) in enumerate(
        (("counts/s", {}, {}), ("counts", {"count_time": 2.0, "count_time_unit": "s"}, {}),
         ("counts", {}, {"count_time": [1.0, 2.0, 4.0]}))
    ):  # fmt: skip
        b.sample(lab, f"S{n}")
        put(lab, f"S{n}", line(x, [10, 20, 40], units=unit, **seconds), conditions=json.dumps(told))
    data = curves(lab.store, "XRD", variable="intensity")
    assert data["intensity"].attrs["units"] == "counts/s"
    assert data["intensity"].values.tolist() == [[10, 20, 40], [5, 10, 20], [10, 10, 10]]
    assert "intensity of 2 curves divided by the count time" in data.attrs["stacking"]
    assert curves(lab.store, "XRD", step=1.0)["intensity"].values.tolist() == data["intensity"].values.tolist()
    b.sample(lab, "S3")
    uid = put(lab, "S3", line(x, [1, 2, 3]))
    with pytest.raises(LabError, match=f"count time of {uid} is not known"):
        curves(lab.store, "XRD")
    assert curves(lab.store, "XRD", samples="S3")["intensity"].attrs["units"] == "counts"


def test_units_that_do_not_fit_are_refused(new_lab: Any) -> None:
    lab = new_lab()
    for n, unit in enumerate(("mg", "g", "degC")):
        b.sample(lab, f"S{n}")
        put(lab, f"S{n}", {"time": Variable(("time",), np.arange(3.0), "s"),
                           "mass": Variable(("time",), np.full(3, 2.0), unit)}, "TG")  # fmt: skip
    data = curves(lab.store, "TG", samples=["S0", "S1"])
    assert data["mass"].attrs["units"] == "mg" and data["mass"].values[:, 0].tolist() == [2.0, 2000.0]
    with pytest.raises(LabError, match="cannot be stacked"):
        curves(lab.store, "TG")


def test_another_variable_as_the_axis(new_lab: Any) -> None:
    lab = new_lab()
    time = np.arange(50.0)

    def run(temperature: Any) -> dict[str, Variable]:
        return {"time": Variable(("time",), time, "s"), "temperature": Variable(("time",), temperature, "degC"),
                "mass": Variable(("time",), 100.0 - 0.1 * time, "%")}  # fmt: skip

    for n, rate in enumerate((10.0, 20.0)):
        b.sample(lab, f"S{n}")
        put(lab, f"S{n}", run(25.0 + rate * time + 0.01 * (-1) ** time), "TG")  # with a little noise
    data = curves(lab.store, "TG", axis="temperature", step=10.0)
    assert set(data.data_vars) == {"mass"} and data["temperature"].attrs["units"] == "degC"
    at = data["mass"].sel(temperature=500.0).values
    assert at == pytest.approx([100 - 4.75, 100 - 2.375], abs=0.01)
    b.sample(lab, "S2")
    put(lab, "S2", run(np.concatenate([25 + 20 * time[:25], 500 - 20 * time[:25]])), "TG")
    with pytest.raises(LabError, match="does not run one way"):
        curves(lab.store, "TG", axis="temperature", step=10.0)
    with pytest.raises(UnknownNameError, match="Did you mean 'temperature'"):
        curves(lab.store, "TG", axis="temprature", step=10.0)


# -- the cache


@pytest.fixture
def many(lab: Lab) -> Lab:
    """Enough curves for the cache: most on one axis, a few with axes of their own."""
    codes = b.samples(lab, 45)
    with lab.store.write("synthetic curves") as act:
        act.insert_many(
            "measurement",
            [
                b.measurement(act, "sample", c, "XRD", basis="",
                              curve=b.pattern(n, points=60) if n < 40 else b.pattern(n, 30 + n, 5.0 + n / 100))
                for n, c in enumerate(codes)
            ],
        )  # fmt: skip
    return lab


def stack(lab: Lab) -> Path:
    (file,) = (lab.store.root / "cache").glob("curves-XRD-*.h5")
    return file


def test_the_stack_gives_what_the_curves_give(many: Lab) -> None:
    direct = [curve_arrays(many.store, f"RM-{n + 1:03d}", "XRD")[0] for n in range(45)]
    first = curves(many.store, "XRD", step=0.02)
    assert first.identical(curves(many.store, "XRD", step=0.02))  # from the cache
    with many.store.read() as conn:
        shas = list(many.measurements(technique="XRD")["curve_sha"])
        order = [*shas[::-1], shas[3], shas[3]]
        blocks = cache.load(many.store, conn, "XRD", order)
    seen = []
    for block in blocks:
        for i, place in enumerate(block.rows):
            seen.append(int(place))
            found, expected = block.curve(i), direct[shas.index(order[int(place)])]
            assert list(found) == list(expected)
            for name, v in expected.items():
                assert (found[name].dims, found[name].units, found[name].long_name) == (v.dims, v.units, v.long_name)
                assert found[name].data.dtype == v.data.dtype and (found[name].data == v.data).all()
    assert sorted(seen) == list(range(len(order)))


def test_a_lost_or_damaged_stack_is_made_again(many: Lab) -> None:
    first = curves(many.store, "XRD", step=0.02)
    size = stack(many).stat().st_size
    body = stack(many).read_bytes()
    rng = np.random.default_rng(1)
    for kind in ("gone", "cut", "empty", *["flipped"] * 40):
        file = stack(many)
        damaged = bytearray(body)
        if kind == "gone":
            file.unlink()
        elif kind == "cut":
            file.write_bytes(body[: size // 2])
        elif kind == "empty":
            file.write_bytes(b"")
        else:
            for at in rng.integers(0, size, 3):
                damaged[at] ^= 1 << int(rng.integers(0, 8))
            file.write_bytes(bytes(damaged))
        again = curves(many.store, "XRD", step=0.02)
        assert again.identical(first), kind
        stack(many).unlink()
        file.write_bytes(body)


def test_the_stack_grows_and_forgets(many: Lab) -> None:
    curves(many.store, "XRD", samples=[f"RM-{n:03d}" for n in range(1, 41)])
    small = stack(many)
    b.sample(many, "NEW")
    put(many, "NEW", b.pattern(99, points=60))
    data = curves(many.store, "XRD", samples=[*(f"RM-{n:03d}" for n in range(1, 41)), "NEW"])
    assert (data["intensity"].values[-1] == b.pattern(99, points=60)["intensity"].data).all()
    assert stack(many) == small  # one curve more is read by itself
    curves(many.store, "XRD", step=0.02)
    assert stack(many) != small
    assert many.verify().ok  # the cache is none of its business


def test_an_unwritable_cache_is_no_error(many: Lab) -> None:
    folder = many.store.root / "cache"
    folder.rmdir()
    folder.write_text("a file where the folder should be")
    data = curves(many.store, "XRD", step=0.02)
    assert data.sizes["measurement"] == 45
    folder.unlink()


def test_a_stack_of_another_laboratory_cannot_answer(new_lab: Any) -> None:
    one, two = new_lab(name="one"), new_lab(name="two")
    for lab, seed in ((one, 0), (two, 1000)):
        for n in range(cache.FEW + 3):
            b.sample(lab, f"S{n}")
            put(lab, f"S{n}", b.pattern(seed + n))
    a = curves(one.store, "XRD")
    expected = curves(two.store, "XRD")
    file = stack(two)
    file.write_bytes(stack(one).read_bytes())
    assert curves(two.store, "XRD").identical(expected)
    assert not np.array_equal(a["intensity"].values, expected["intensity"].values)


def test_the_dataset_survives_netcdf(new_lab: Any, tmp_path: Path) -> None:
    lab = new_lab()
    b.sample(lab, "A")
    put(lab, "A", b.pattern(1))
    for name, data in (("one", lab.curve("A", "XRD")), ("many", lab.curves("XRD"))):
        data.to_netcdf(tmp_path / f"{name}.nc", engine="h5netcdf")
        with xr.open_dataset(tmp_path / f"{name}.nc", engine="h5netcdf") as back:
            assert (back["intensity"].values == data["intensity"].values).all()

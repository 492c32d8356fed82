"""Compositions: every cell against a slow twin in plain Python; bases, censoring and flags by hand."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import builders as b
import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wastelab.errors import LabError, UnknownNameError
from wastelab.lab import contents
from wastelab.lab import schema as s
from wastelab.lab.composition import wide
from wastelab.lab.lab import Lab

OXIDES = ("SiO2", "CaO", "Cl", "LOI")


def cell(data: xr.Dataset, sample: str, oxide: str) -> dict[str, Any]:
    """Everything about one cell."""
    out = {name.removeprefix("composition_"): data[name].sel(sample=sample, oxide=oxide).item() for name in data}
    out["flag"] = contents.FLAGS[out.pop("status_flag")]
    return out


# -- the twin


def to_dry_factor(stated: str, water: float | None, loss: float | None, oxide: str) -> float | None:
    if stated == "dry":
        return 1.0
    if stated == "as_received":
        return None if water is None else 1.0 / (1.0 - water / 100.0)
    if stated == "ignited":
        if oxide == "LOI":
            return 1.0
        return None if loss is None or loss >= 100.0 else 1.0 - loss / 100.0
    return None


def mean_of(items: list[tuple[float, float | None]]) -> tuple[float, float | None]:
    """Mean and standard error of numbers with stated uncertainties."""
    n = len(items)
    mean = sum(x for x, _ in items) / n
    stated = [u for _, u in items if u is not None]
    systematic = sum(u * u for u in stated) / len(stated) if stated else 0.0
    scatter = sum((x - mean) ** 2 for x, _ in items) / (n - 1) / n if n > 1 else 0.0
    return mean, (math.sqrt(scatter + systematic) if n > 1 or stated else None)


def helper(results: list[dict[str, Any]], own: dict[str, Any], pick: Any) -> tuple[float | None, float]:
    """A helper quantity: the measurement's own, else the mean of the sample's; value and standard uncertainty."""
    mine = pick(own)
    if mine is not None:
        return mine[0], mine[1] or 0.0
    all_of = [p for r in results if (p := pick(r)) is not None]
    if not all_of:
        return None, 0.0
    mean, error = mean_of(all_of)
    return mean, error or 0.0


def water_of(result: dict[str, Any]) -> tuple[float, float | None] | None:
    v = result["values"].get("moisture")
    if v is None or v["value"] is None or v["flag"] == 1:
        return None
    return v["value"], v["sigma"]


def loss_of(results: list[dict[str, Any]]) -> Any:
    def pick(result: dict[str, Any]) -> tuple[float, float | None] | None:
        v = result["values"].get("LOI")
        if v is None or v["value"] is None or v["flag"] == 1 or v["basis"] == "":
            return None
        if v["basis"] != "as_received":
            return v["value"], v["sigma"]
        water, s_water = helper(results, result, water_of)
        if water is None:
            return None
        left = 1.0 - water / 100.0
        loss = v["value"] / left
        extra = loss * s_water / 100.0 / left
        if v["sigma"] is None:
            return loss, None
        return loss, math.hypot(v["sigma"] / left, extra)

    return pick


def twin(results: list[dict[str, Any]], oxide: str, basis: str, agg: str, censored: str) -> dict[str, Any]:
    """One cell the slow, obvious way."""
    numbers: list[tuple[Any, float, float | None]] = []
    limits: list[tuple[Any, float | None]] = []
    lost, guessed = [], []
    stated: set[str] = set()
    for number, r in enumerate(results):
        v = r["values"].get(oxide)
        if v is None or (oxide != "LOI" and r["technique"] != "XRF"):
            continue
        when = (r["measured_at"], number)
        water, s_water = helper(results, r, water_of)
        loss, s_loss = helper(results, r, loss_of(results))
        here, factor, relative = v["basis"], 1.0, 0.0
        if basis != "as_stated" and here != basis:
            a = to_dry_factor(here, water, loss, oxide)
            z = to_dry_factor(basis, water, loss, oxide)
            factor = math.nan if a is None or z is None else a / z
            for end in (here, basis):
                if end == "as_received" and water is not None:
                    relative = math.hypot(relative, s_water / 100.0 / (1.0 - water / 100.0))
                if end == "ignited" and loss is not None and loss < 100 and oxide != "LOI":
                    relative = math.hypot(relative, s_loss / 100.0 / (1.0 - loss / 100.0))
        if v["flag"] == 1:
            if v["lod"] is None:
                limits.append((when, None))
                stated.add(here)
            elif math.isnan(factor):
                lost.append(when)
            else:
                limits.append((when, v["lod"] * factor))
                stated.add(here)
            continue
        if v["value"] is None:
            continue
        if math.isnan(factor):
            lost.append(when)
            continue
        value = v["value"] * factor
        sigma = None if v["sigma"] is None else v["sigma"] * factor
        if relative:
            sigma = math.hypot(sigma or 0.0, value * relative)
        numbers.append((when, value, sigma))
        stated.add(here)
        if v["flag"] > 1:
            guessed.append(when)
        if v["lod"] is not None:
            limits.append((when, -v["lod"] * factor))  # negative: stated beside a number
    if agg == "latest":
        times = [w for w, *_ in numbers] + [w for w, _ in limits]
        if times:
            newest = max(times)
            numbers = [x for x in numbers if x[0] == newest]
            limits = [x for x in limits if x[0] == newest]
            lost = []
            guessed = [w for w in guessed if w == newest]
    below = [(w, x) for w, x in limits if x is None or x > 0]
    used = [(x, u) for _, x, u in numbers]
    if censored != "nan":
        share, spread = (0.5, 12.0) if censored == "half" else (0.0, 3.0)
        used += [(share * x, x / math.sqrt(spread)) for _, x in below if x is not None]
    out: dict[str, Any] = {
        "number_of_observations": len(numbers) + len(below),
        "detection_minimum": min((abs(x) for _, x in limits if x is not None), default=None),
    }
    out["composition"], out["standard_error"] = mean_of(used) if used else (None, None)
    if numbers:
        flag = "partly_below_detection" if below else "partly_not_convertible" if lost else ""
        out["flag"] = flag or ("estimated" if guessed else "measured")
    else:
        out["flag"] = "below_detection" if below else "not_convertible" if lost else "not_measured"
    if basis == "as_stated" and agg == "mean" and len(stated) > 1:
        out |= {"flag": "mixed_basis", "composition": None, "standard_error": None, "detection_minimum": None}
    return out


number = st.floats(0.1, 30.0).map(lambda x: round(x, 3))
maybe = st.none() | st.floats(0.01, 1.0).map(lambda x: round(x, 3))


@st.composite
def one_value(draw: Any, oxide: str) -> dict[str, Any]:
    flag = draw(st.sampled_from((0, 0, 0, 1, 4, 5)))
    basis = (
        "as_received" if oxide == "moisture" else draw(st.sampled_from(("dry", "dry", "as_received", "ignited", "")))
    )
    return {"value": None if flag == 1 else draw(number), "sigma": None if flag == 1 else draw(maybe),
            "lod": draw(maybe), "flag": flag, "basis": basis}  # fmt: skip


@st.composite
def one_result(draw: Any) -> dict[str, Any]:
    technique = draw(st.sampled_from(("XRF", "XRF", "XRF", "LOI", "moisture")))
    chosen = {"LOI": ("LOI",), "moisture": ("moisture",)}.get(technique, (*OXIDES, "moisture"))
    names = draw(st.lists(st.sampled_from(chosen), unique=True, min_size=1))
    return {"technique": technique, "measured_at": draw(st.sampled_from(("", "2026-01-05", "2026-02", "2026-03-09"))),
            "values": {n: draw(one_value(n)) for n in names}}  # fmt: skip


_serial = itertools.count()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(samples=st.lists(st.lists(one_result(), max_size=5), min_size=1, max_size=3))
def test_every_cell_equals_the_slow_twin(lab: Lab, samples: list[list[dict[str, Any]]]) -> None:
    codes = []
    with lab.store.write("synthetic") as act:
        for results in samples:
            codes.append(f"T-{next(_serial)}")
            act.insert("sample", {"code": codes[-1], "waste_class": "red_mud"})
            records = []
            for r in results:
                values = [
                    {"quantity": q, "unit": "wt%", **v, "basis": s.BASES.index(v["basis"])}
                    for q, v in r["values"].items()
                ]
                records.append(b.measurement(act, "sample", codes[-1], r["technique"], values=values, basis="",
                                             measured_at=r["measured_at"]))  # fmt: skip
            act.insert_many("measurement", records)
    for basis, agg, censored in itertools.product(contents.TARGETS, ("mean", "latest"), contents.CENSORED):
        data = lab.composition(codes=codes, basis=basis, agg=agg, censored=censored, oxides=OXIDES)
        for code, results in zip(codes, samples, strict=True):
            for oxide in OXIDES:
                expected, found = twin(results, oxide, basis, agg, censored), cell(data, code, oxide)
                where = (code, oxide, basis, agg, censored)
                for key, want in expected.items():
                    have = found[key]
                    if want is None:
                        assert math.isnan(have), (where, key, have)
                    elif isinstance(want, float):
                        assert have == pytest.approx(want, rel=1e-12, abs=1e-14), (where, key)
                    else:
                        assert have == want, (where, key)


# -- by hand


def test_what_was_not_measured_is_nan_and_says_so(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 20.0, "Cl": "<0.02"})
    b.sample(lab, "B", values={"CaO": 40.0})
    b.sample(lab, "C")
    data = lab.composition()
    assert list(data["sample"].values) == ["A", "B"]  # C was not measured
    assert list(data["oxide"].values) == ["SiO2", "CaO", "Cl"]
    assert cell(data, "A", "CaO")["flag"] == "not_measured" and math.isnan(cell(data, "A", "CaO")["composition"])
    below = cell(data, "A", "Cl")
    assert below["flag"] == "below_detection" and math.isnan(below["composition"])
    assert below["detection_minimum"] == 0.02 and below["number_of_observations"] == 1
    assert cell(lab.composition(codes=["C", "A"]), "C", "SiO2")["flag"] == "not_measured"


def test_replicates_give_a_mean_and_its_standard_error(lab: Lab) -> None:
    b.sample(lab, "A")
    for n, (x, u) in enumerate(((20.0, 0.3), (20.6, 0.4), (20.2, None)), 1):
        b.measure(lab, "A", values=[b.value("SiO2", x, basis="dry", sigma=u)], replicate=n)
    found = cell(lab.composition(), "A", "SiO2")
    numbers = np.array([20.0, 20.6, 20.2])
    assert found["composition"] == pytest.approx(numbers.mean(), rel=1e-14)
    assert found["standard_error"] == pytest.approx(math.sqrt(numbers.var(ddof=1) / 3 + (0.09 + 0.16) / 2), rel=1e-12)
    assert found["number_of_observations"] == 3


def test_retracted_results_are_not_used(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 20.0})
    wrong = b.measure(lab, "A", values={"SiO2": 90.0})
    lab.set_status(wrong, "retracted", by="Wang", reason="wrong crucible")
    assert cell(lab.composition(), "A", "SiO2")["composition"] == 20.0
    assert cell(lab.composition(status="all"), "A", "SiO2")["composition"] == 55.0
    assert lab.composition(verified_only=True).sizes == {"sample": 0, "oxide": 0}


def test_ignited_results_come_back_to_dry_by_the_loss_on_ignition(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 30.0}, basis="ignited")
    assert cell(lab.composition(), "A", "SiO2")["flag"] == "not_convertible"
    b.measure(lab, "A", "LOI", {"LOI": 10.0})
    assert cell(lab.composition(), "A", "SiO2")["composition"] == pytest.approx(27.0)
    assert cell(lab.composition(basis="ignited"), "A", "SiO2")["composition"] == 30.0
    assert cell(lab.composition(basis="as_received"), "A", "SiO2")["flag"] == "not_convertible"
    b.measure(lab, "A", "moisture", [b.value("moisture", 20.0, basis="as_received")])
    assert cell(lab.composition(basis="as_received"), "A", "SiO2")["composition"] == pytest.approx(21.6)


def test_a_basis_that_nobody_stated_is_assumed_only_if_asked(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 30.0}, basis="")
    assert cell(lab.composition(), "A", "SiO2")["flag"] == "not_convertible"
    assert cell(lab.composition(basis="as_stated"), "A", "SiO2")["composition"] == 30.0
    data = lab.composition(assume_basis="dry")
    assert cell(data, "A", "SiO2")["composition"] == 30.0 and data.attrs["assumed_basis"] == "dry"


def test_moisture_per_dry_mass_is_understood(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 20.0}, basis="as_received")
    b.measure(lab, "A", "moisture", [b.value("moisture", 25.0, basis="dry")])  # 25 g of water per 100 g dry: 20 %
    assert cell(lab.composition(), "A", "SiO2")["composition"] == pytest.approx(25.0)


def test_results_on_several_bases_are_not_averaged_as_stated(lab: Lab) -> None:
    b.sample(lab, "A", values={"SiO2": 30.0}, basis="ignited")
    b.measure(lab, "A", values={"SiO2": 27.0}, basis="dry")
    assert cell(lab.composition(basis="as_stated"), "A", "SiO2")["flag"] == "mixed_basis"
    each = lab.composition(basis="as_stated", agg="none")
    assert dict(each.sizes) == {"measurement": 2, "oxide": 1}
    assert each["composition"].values[:, 0].tolist() == [30.0, 27.0]
    assert each["stated_basis"].values[:, 0].tolist() == [3, 2] and each["sample"].values.tolist() == ["A", "A"]


def test_filters_and_sources_through_parents(lab: Lab) -> None:
    lab.add("source", code="H1", waste_class="red_mud")
    b.sample(lab, "A", source="H1")
    b.sample(lab, "A-dry", parent="A", process={"step": "dried"}, values={"SiO2": 20.0})
    b.sample(lab, "G", "coal_gangue", values={"SiO2": 50.0}, measured_at="2025-07-01")
    assert lab.composition(source="H1")["sample"].values.tolist() == ["A-dry"]
    data = lab.composition()
    assert data["source"].values.tolist() == ["H1", ""] and data["waste_class"].values.tolist() == [
        "red_mud",
        "coal_gangue",
    ]
    assert lab.composition(waste_class="煤矸石")["sample"].values.tolist() == ["G"]
    assert lab.composition(date_from="2026")["sample"].values.tolist() == ["A-dry"]
    assert lab.composition(date_to="2025-07")["sample"].values.tolist() == ["G"]


@pytest.mark.parametrize(
    ("options", "near"),
    [
        ({"basis": "drry"}, "dry"), ({"agg": "median"}, "mean"), ({"censored": "halve"}, "half"),
        ({"oxides": ["SiO2x"]}, "SiO2"), ({"waste_class": "red_mood"}, "red_mud"), ({"codes": ["RM-0O1"]}, "RM-001"),
        ({"technique": "XRFF"}, "XRF"), ({"status": "verifed"}, "verified"),
    ],
)  # fmt: skip
def test_unknown_names_are_refused_with_a_near_one(new_lab: Any, options: dict[str, Any], near: str) -> None:
    lab = new_lab()
    b.samples(lab, 2)
    with pytest.raises(UnknownNameError, match=near):
        lab.composition(**options)


def test_the_dataset_survives_netcdf_and_follows_cf(new_lab: Any, tmp_path: Path) -> None:
    lab = new_lab()
    b.samples(lab, 5)
    data = lab.composition()
    data.to_netcdf(tmp_path / "c.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "c.nc", engine="h5netcdf") as back:
        assert back["composition"].attrs["ancillary_variables"].split() == [n for n in data if n != "composition"]
        assert (back["composition"].values == data["composition"].values).all()
        assert back["composition"].attrs["units"] == "%"
        meanings = back["composition_status_flag"].attrs["flag_meanings"].split()
        assert len(meanings) == len(back["composition_status_flag"].attrs["flag_values"])
    assert data.attrs["audit_head"] == lab.head() and data.attrs["lab_uid"] == lab.info()["uid"]


def test_an_empty_laboratory_gives_an_empty_dataset(lab: Lab) -> None:
    for agg in contents.AGGREGATES:
        data = lab.composition(agg=agg, oxides=["SiO2"])
        assert set(data.sizes.values()) == {0, 1} and data["composition"].dtype == np.float64


def test_the_wide_table_shows_detection_limits(new_lab: Any) -> None:
    lab = new_lab()
    b.sample(lab, "A", values={"SiO2": 20.0, "Cl": "<0.02"})
    b.sample(lab, "B", values={"SiO2": 21.0})
    table = wide(lab.composition())
    assert table.loc["A", "Cl"] == "<0.02" and table["Cl"].isna().tolist() == [False, True]
    assert table["SiO2"].tolist() == [20.0, 21.0] and table["SiO2"].dtype == np.float64
    with pytest.raises(LabError, match="one row a sample"):
        wide(lab.composition(agg="none"))


def test_permutation_of_the_samples_changes_nothing(new_lab: Any) -> None:
    lab = new_lab()
    codes = b.samples(lab, 6)
    whole = lab.composition()
    for code in codes:
        one = lab.composition(codes=[code])
        assert (one["composition"].values[0] == whole["composition"].sel(sample=code).values).all()

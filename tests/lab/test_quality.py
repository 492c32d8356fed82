"""Quality control: published control limits, rules by hand, calibrations, pooled repeatability."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wastelab.errors import LabError, UnknownNameError, WastelabError
from wastelab.lab.lab import Lab
from wastelab.lab.quality import calibration_status, duplicates_report, western_electric
from wastelab.lab.store import uuid7

#: Ten batches of the example of individuals charts in the NIST/SEMATECH e-Handbook of Statistical Methods, 6.3.2.2.
NIST = (49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1)


def measure(
    lab: Lab,
    sample: str,
    value: float | None,
    at: str,
    *,
    quantity: str = "SiO2",
    sigma: float | None = None,
    **more: Any,
) -> str:
    """Store one result of a sample; returns its uid."""
    instrument = more.pop("instrument", "")
    body = {"technique": "XRF", "method": "", "operator": "Li Wei", "measured_at": at, "status": "draft", **more}
    flag = 1 if value is None else 0
    with lab.store.write("synthetic result") as act:
        act.insert("measurement", {
            **body, "uid": (uid := uuid7()), "sample": act.uid("sample", sample),
            "instrument": act.uid("instrument", instrument) if instrument else None,
            "values": [{"quantity": quantity, "unit": "wt%", "value": value, "sigma": sigma, "flag": flag, "basis": 2}],
        })  # fmt: skip
    return uid


def day(n: int) -> str:
    return (date(2024, 1, 1) + timedelta(days=n)).isoformat()


@pytest.fixture
def lab(new_lab: Callable[..., Lab]) -> Lab:
    made = new_lab()
    made.add("reference_material", code="CRM-1", certificate="No. 12/2020", supplier="supplier",
             values=[{"quantity": "SiO2", "value": 50.0, "unit": "wt%", "sigma": 0.3}])  # fmt: skip
    made.add("reference_material", code="CRM-2", values=[{"quantity": "CaO", "value": 40.0, "unit": "wt%"}])
    for code, crm in (("QC-1", "CRM-1"), ("QC-2", "CRM-2")):
        made.add("sample", code=code, waste_class="raw", reference_material=crm)
    made.add("instrument", code="X-1", technique="XRF")
    return made


def series(lab: Lab, values: Sequence[float], **more: Any) -> None:
    for n, value in enumerate(values):
        measure(lab, "QC-1", value, day(n), **more)


# -- control chart
def test_limits_of_the_nist_example(lab: Lab) -> None:
    series(lab, NIST)
    chart = lab.control_chart("CRM-1", "SiO2")
    first = chart.iloc[0]
    assert first["mean"] == pytest.approx(50.81, abs=1e-9)
    assert first["upper_action"] == pytest.approx(55.8041, abs=5e-4)
    assert first["lower_action"] == pytest.approx(45.8159, abs=5e-4)
    assert first["s"] == pytest.approx(1.8778 / 1.128, abs=5e-5)
    assert first["upper_warning"] - first["mean"] == pytest.approx(2 * first["s"])
    assert chart["rules"].tolist() == [""] * 10  # as the handbook says: in control
    assert chart.attrs["limits"] == "results" and chart.attrs["count"] == 10 and chart.attrs["unit"] == "wt%"
    assert chart.attrs["bias"] == pytest.approx(0.81) and chart.attrs["certificate"] == "No. 12/2020"
    assert chart["date"].tolist() == [day(n) for n in range(10)]


def test_the_other_standard_deviation_and_a_baseline(lab: Lab) -> None:
    series(lab, [*NIST, 70.0])
    chart = lab.control_chart("CRM-1", "二氧化硅", spread="std", baseline=10)
    assert chart.iloc[0]["s"] == pytest.approx(np.std(NIST, ddof=1)) and chart.iloc[0]["mean"] == pytest.approx(50.81)
    assert chart["rules"].tolist() == [""] * 10 + ["1"]
    assert chart.attrs["limits_from"] == 10 and chart.attrs["count"] == 11
    with pytest.raises(LabError, match="at least 8"):
        lab.control_chart("CRM-1", "SiO2", baseline=3)
    with pytest.raises(LabError, match="'range'"):
        lab.control_chart("CRM-1", "SiO2", spread="range")


def test_z_and_en_by_hand(lab: Lab) -> None:
    measure(lab, "QC-1", 50.5, day(0), sigma=0.4)  # both uncertainties: 0.5 together
    measure(lab, "QC-1", 49.5, day(1))  # none stated, and too few results for one of the chart
    chart = lab.control_chart("CRM-1", "SiO2")
    assert chart["z"].tolist()[0] == pytest.approx(1.0) and math.isnan(chart["z"].tolist()[1])
    assert chart["En"].tolist()[0] == pytest.approx(0.5) and math.isnan(chart["En"].tolist()[1])


def test_too_few_results_take_the_certificate_and_say_so(lab: Lab) -> None:
    series(lab, [50.1, 49.2, 51.0])
    chart = lab.control_chart("CRM-1", "SiO2")
    assert chart.attrs["limits"] == "certificate"
    assert chart.iloc[0][["mean", "s", "lower_action", "upper_warning"]].tolist() == pytest.approx(
        [50, 0.3, 49.1, 50.6]
    )
    assert chart["rules"].tolist() == ["", "", "1"]  # -2.7 s before it is on the other side


def test_no_certificate_and_too_few_results_give_no_limits(lab: Lab) -> None:
    measure(lab, "QC-2", 40.3, day(0), quantity="CaO")
    chart = lab.control_chart("CRM-2", "CaO")
    assert chart.attrs["limits"] == "none" and chart["rules"].tolist() == [""] and math.isnan(chart.iloc[0]["s"])
    assert len(lab.control_chart("CRM-2", "MgO")) == 0
    with pytest.raises(UnknownNameError, match=r"CRM-9"):
        lab.control_chart("CRM-9", "SiO2")
    with pytest.raises(UnknownNameError, match="SiO7x"):
        lab.control_chart("CRM-1", "SiO7x")


def test_only_results_that_stand_are_charted(lab: Lab) -> None:
    series(lab, NIST)
    old = measure(lab, "QC-1", 99.0, day(11))
    measure(lab, "QC-1", 50.0, day(11), supersedes=old)
    lab.set_status(measure(lab, "QC-1", 98.0, day(12)), "retracted", by="Wang", reason="wrong sample")
    measure(lab, "QC-1", None, day(13))
    measure(lab, "QC-1", 51.0, day(14), instrument="X-1")
    chart = lab.control_chart("CRM-1", "SiO2")
    assert chart["value"].tolist() == [*NIST, 50.0, 51.0] and chart.attrs["excluded"] == 1
    assert lab.control_chart("CRM-1", "SiO2", instrument="X-1")["value"].tolist() == [51.0]
    window = lab.control_chart("CRM-1", "SiO2", since=day(3), until=date(2024, 1, 6))
    assert window["value"].tolist() == list(NIST[3:6])
    measure(lab, "QC-1", 50.0, day(20), technique="ICP")
    with pytest.raises(LabError, match=r"ICP, XRF.*technique="):
        lab.control_chart("CRM-1", "SiO2")
    assert len(lab.control_chart("CRM-1", "SiO2", technique="XRF")) == 12


@pytest.mark.parametrize(
    ("z", "rules"),
    [
        ([3.1], ["1"]),
        ([-3.1], ["1"]),
        ([3.0, -3.0], ["", ""]),  # on the limit is not beyond it
        ([2.1, 0.0, 2.1], ["", "", "2"]),
        ([2.1, 0.0, -2.1], ["", "", ""]),  # two sides
        ([2.1, 0.0, 0.0, 2.1], ["", "", "", ""]),  # two of four
        ([2.1, 2.1, 0.0], ["", "2", ""]),  # noted where it is completed
        ([1.1, 1.1, 0.0, 1.1, 1.1], ["", "", "", "", "3"]),
        ([1.1, 1.1, 1.1, 1.1], ["", "", "", "3"]),
        ([-1.1, -1.1, -1.1, 1.5, -1.1], ["", "", "", "", "3"]),
        ([0.1] * 8, [""] * 7 + ["4"]),
        ([-0.1] * 9, [""] * 7 + ["4", "4"]),
        ([0.1] * 7 + [0.0, 0.1], [""] * 9),
        ([1.1] * 8, [""] * 3 + ["3"] * 4 + ["3, 4"]),
    ],
)
def test_western_electric_rules_by_hand(z: list[float], rules: list[str]) -> None:
    assert western_electric(np.array(z), 0.0, 1.0) == rules


@given(st.lists(st.floats(-4, 4), max_size=40), st.floats(0.1, 10), st.floats(-100, 100))
def test_rules_agree_with_a_slow_twin_and_are_symmetric(z: list[float], sigma: float, mean: float) -> None:
    def slow(at: int) -> str:
        hit = ["1"] if abs(z[at]) > 3 else []
        for name, window, least, beyond in (("2", 3, 2, 2), ("3", 5, 4, 1), ("4", 8, 8, 0)):
            past = z[max(0, at - window + 1) : at + 1]
            high, low = sum(x > beyond for x in past), sum(x < -beyond for x in past)
            if (z[at] > beyond and high >= least) or (z[at] < -beyond and low >= least):
                hit.append(name)
        return ", ".join(hit)

    values = np.array(z)
    assert western_electric(values, 0.0, 1.0) == [slow(n) for n in range(len(z))]
    assert western_electric(-values, 0.0, 1.0) == western_electric(values, 0.0, 1.0)
    assert western_electric(values, mean, 0.0) == [""] * len(z)


# -- calibrations
def test_state_of_each_calibration(lab: Lab) -> None:
    for code in ("X-2", "X-3", "X-4", "X-5", "X-6", "X-7"):
        lab.add("instrument", code=code, technique="XRD")
    lab.change("instrument", "X-7", reason="broken", state="out_of_service")

    def calibrate(code: str, at: str, **more: str) -> None:
        lab.add("calibration", instrument=code, calibrated_at=at, certificate=f"{code} {at}", **more)

    calibrate("X-2", "2023-01-10", valid_until="2024-01-09")
    calibrate("X-2", "2024-01-08", valid_until="2025-01-07")
    calibrate("X-3", "2023-07-01", valid_until="2024-06-30")
    calibrate("X-4", "2023-05-31", valid_until="2024-05-31")
    calibrate("X-5", "2023-06-01", valid_until="2025-06-01")
    calibrate("X-5", "2024-05-01", valid_until="2025-06-01", result="fail")
    calibrate("X-6", "2024-05-01")
    calibrate("X-7", "2024-03", valid_until="2024-06")
    table = calibration_status(lab.store, "2024-06-01").set_index("instrument")
    assert table["state"].to_dict() == {
        "X-1": "never", "X-2": "valid", "X-3": "due", "X-4": "expired", "X-5": "failed", "X-6": "open", "X-7": "due",
    }  # fmt: skip
    assert table.loc["X-3", "days_left"] == 29 and table.loc["X-4", "days_left"] == -1
    assert table.loc["X-7", "days_left"] == 29  # valid until the end of June
    assert table["in_service"].to_dict()["X-7"] == np.False_ and table.loc["X-2", "certificate"] == "X-2 2024-01-08"
    early = calibration_status(lab.store, "2024-01-05").set_index("instrument")["state"]
    assert early["X-2"] == "due" and early["X-6"] == "never"  # later certificates are not yet there
    edge = calibration_status(lab.store, date(2024, 5, 31)).set_index("instrument")["state"]
    assert edge["X-4"] == "due" and edge["X-3"] == "due"  # the last day counts; 30 days before the end
    assert calibration_status(lab.store, "2024-05-30").set_index("instrument").loc["X-3", "state"] == "valid"
    with pytest.raises(LabError, match="no day"):
        calibration_status(lab.store, "soon")


# -- repeatability
def test_pooled_repeatability_by_hand(lab: Lab) -> None:
    for n, pair in enumerate(((21.30, 21.40), (21.20, 21.20), (21.50, 21.25))):
        lab.add("sample", code=f"S-{n}", waste_class="red_mud")
        for replicate, value in enumerate(pair, start=1):
            measure(lab, f"S-{n}", value, f"2024-02-0{n + 1}T1{replicate}:00", replicate=replicate)
    measure(lab, "S-0", 25.0, "2024-02-09")  # another day: no repeatability conditions
    measure(lab, "S-0", 25.0, "2024-02-01", operator="Wang")  # another operator
    row = duplicates_report(lab.store, "SiO2").iloc[0]
    # s_r = sqrt(sum of squared differences / 2n) = sqrt((0.01 + 0 + 0.0625) / 6)
    assert row["s_r"] == pytest.approx(math.sqrt(0.0725 / 6), rel=1e-9)
    assert row["r"] == pytest.approx(2.8 * math.sqrt(0.0725 / 6), rel=1e-9)
    assert (row["groups"], row["results"], row["dof"]) == (3, 6, 3)
    assert row["limit"] == 0.20 and row["evidence"] == "memory" and "GB/T 176" in row["source"]
    assert not row["within"] and row["over"] == 1


def test_more_than_two_replicates_are_pooled_by_their_degrees_of_freedom(lab: Lab) -> None:
    for n, values in enumerate(([60.0, 60.1, 60.2], [61.0, 61.1])):
        lab.add("sample", code=f"S-{n}", waste_class="fly_ash")
        for value in values:
            measure(lab, f"S-{n}", value, "2024-02-01", quantity="TiO2")
    row = duplicates_report(lab.store).set_index("quantity").loc["TiO2"]
    assert row["dof"] == 3 and row["s_r"] == pytest.approx(math.sqrt((0.02 + 0.005) / 3))
    # range 0.2 of three against 0.05 * 3.3 / 2.8, range 0.1 of two against 0.05
    assert row["over"] == 2


def test_a_quantity_without_a_limit_is_said_to_have_none(lab: Lab) -> None:
    for value in (1.00, 1.02):
        measure(lab, "QC-1", value, "2024-02-01", quantity="MnO")
    row = duplicates_report(lab.store).iloc[0]
    assert math.isnan(row["limit"]) and row["within"] is None and row["evidence"] == ""
    assert len(duplicates_report(lab.store, "SiO2")) == 0


# -- picture
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_chart_is_drawn(lab: Lab, tmp_path: Path, lang: str) -> None:
    from wastelab.plotting.control_chart import plot_control_chart

    series(lab, [*NIST, 57.0], sigma=0.4)
    table = lab.control_chart("CRM-1", "SiO2", baseline=10)
    path = tmp_path / "chart.png"
    figure = plot_control_chart(table, path, lang)
    assert path.read_bytes().startswith(b"\x89PNG")
    ax = figure.axes[0]
    drawn = sorted(float(line.get_ydata()[0]) for line in ax.lines if len(set(line.get_ydata())) == 1)
    lines = [table.iloc[0][c] for c in ("lower_action", "lower_warning", "mean", "upper_warning", "upper_action")]
    assert [y for y in drawn if any(y == pytest.approx(x) for x in lines)] == pytest.approx(lines)
    marked = [tuple(c.get_offsets()[0]) for c in ax.collections if len(c.get_offsets()) == 1]
    assert (11.0, 57.0) in marked
    assert len(ax.get_xticklabels()) == 11 and ax.get_xticklabels()[0].get_text() == "2024-01-01"


def test_an_empty_chart_and_one_of_the_certificate_are_drawn(lab: Lab, tmp_path: Path) -> None:
    from wastelab.plotting.control_chart import plot_control_chart

    empty = plot_control_chart(lab.control_chart("CRM-2", "CaO"))
    assert "no limits" in empty.axes[0].get_xlabel()
    with pytest.raises(WastelabError, match="cannot be written"):
        plot_control_chart(lab.control_chart("CRM-2", "CaO"), tmp_path / "none" / "a.png")
    series(lab, NIST[:3])
    few = plot_control_chart(lab.control_chart("CRM-1", "SiO2"))
    assert "certificate" in few.axes[0].get_xlabel()


def test_tables_without_rows_have_the_types_of_those_with_rows(lab: Lab) -> None:
    empty = lab.control_chart("CRM-1", "SiO2")
    assert len(empty) == 0 and len(duplicates_report(lab.store)) == 0
    nothing = duplicates_report(lab.store)
    series(lab, NIST)
    measure(lab, "QC-1", 51.0, day(9), replicate=2)
    full, pairs = lab.control_chart("CRM-1", "SiO2"), duplicates_report(lab.store)
    assert len(pairs) == 1
    for a, z in ((empty, full), (nothing, pairs)):
        assert a.dtypes.to_dict() == z.dtypes.to_dict()
        untyped = {n for n, t in z.dtypes.items() if t.kind == "O" and str(t) != "str"}
        assert untyped <= {"within", "over"}  # None where there is no limit
    assert full["value"].dtype == np.float64 and empty["value"].dtype == np.float64
    with_none = calibration_status(lab.store)
    assert (with_none.dtypes == calibration_status(lab.store, "2024-06-01").dtypes).all()
    assert with_none["days_left"].dtype == np.float64 and with_none["in_service"].dtype == bool


def test_an_impossible_oxide_has_no_chart(lab: Lab) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'SiO2'"):
        lab.control_chart("CRM-1", "SiO9")


def test_a_certified_value_is_converted_exactly(lab: Lab) -> None:
    values = [{"quantity": "SiO2", "value": 0.21, "unit": "kg/kg", "sigma": 0.0007},
              {"quantity": "MgO", "value": 1234.7, "unit": "mg/kg"}]  # fmt: skip
    lab.add("reference_material", code="CRM-X", values=values)
    found = lab.table("reference_value")
    chosen = found[found["reference_material"] == "CRM-X"]
    assert chosen["value"].tolist() == [21.0, 0.12347] and chosen["sigma"].tolist()[0] == 0.07

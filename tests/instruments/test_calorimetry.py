"""TAM Air: every number against a naive reading; units; whether it is normalised; damaged files."""

from __future__ import annotations

import io

import numpy as np
import pytest
from thermal_samples import real, tam_gen1, tam_gen3

from wastelab.errors import InstrumentError
from wastelab.instruments import read_bytes


def test_first_generation_equals_a_naive_reading() -> None:
    data, name = real("calorimetry_tamair/gen1_calofile2.csv")
    (got,) = read_bytes(data, name)
    plain = np.loadtxt(io.StringIO(data.decode().replace(",", ".")), skiprows=3, delimiter="\t", usecols=(0, 1))
    np.testing.assert_array_equal(got.variables["time"].data, plain[:, 0])
    np.testing.assert_array_equal(got.variables["heat_flow"].data, plain[:, 1])
    assert got.variables["heat_flow"].units == "mW"
    assert got.metadata["Time markers"] == [["6120", "Reaction start"]]
    assert int((plain[:, 0] >= 6120).sum()) == 26376  # what is left after the mark
    assert got.metadata["normalised"].startswith("no")


def test_third_generation_equals_a_naive_reading() -> None:
    data, name = real("calorimetry_tamair/gen3_calofile.csv")
    (got,) = read_bytes(data, name)
    plain = np.genfromtxt(io.StringIO(data.decode()), skip_header=17, max_rows=4384, delimiter=",", usecols=range(6))
    for k, (column, factor) in enumerate(
        [
            ("time", 1.0),
            ("temperature", 1.0),
            ("heat_flow", 1e3),
            ("heat", 1.0),
            ("heat_flow_specific", 1e3),
            ("heat_specific", 1.0),
        ]
    ):
        np.testing.assert_array_equal(got.variables[column].data, plain[:, k] * factor)
    assert [got.variables[n].units for n in ("heat_flow", "heat_flow_specific", "heat", "heat_specific")] == [
        "mW",
        "mW/g",
        "J",
        "J/g",
    ]
    assert got.metadata["sections of the data"][1][:2] == ["Main", 4260]
    assert (got.completeness, got.sample, got.operator, got.measured_at) == (
        "declared",
        "CAL2023",
        "XYZ",
        "2021-09-24T07:21:00",
    )
    assert any("prints no units" in w for w in got.warnings)
    # the heat is the integral of the heat flow, so W and J belong together
    time, flow, heat = (got.variables[n].data for n in ("time", "heat_flow", "heat"))
    inside = np.isfinite(flow) & np.isfinite(heat)
    area = np.trapezoid(flow[inside] / 1e3, time[inside])
    assert area == pytest.approx(heat[inside][-1] - heat[inside][0], rel=0.01)


def test_workbook_equals_a_second_reader() -> None:
    data, name = real("calorimetry_tamair/excel_example3.xls")
    (got,) = read_bytes(data, name)
    xlrd = pytest.importorskip("xlrd", reason="xlrd, the second reader of .xls, is not installed")
    sheet = xlrd.open_workbook(file_contents=data).sheet_by_index(0)
    for k, column in (
        (0, "time"),
        (1, "temperature"),
        (2, "heat_flow"),
        (3, "heat"),
        (4, "heat_flow_specific"),
        (5, "heat_specific"),
    ):
        plain = np.array([np.nan if v == "" else v for v in sheet.col_values(k, 2)], dtype=float)
        factor = 1e3 if column.startswith("heat_flow") else 1.0
        np.testing.assert_array_equal(got.variables[column].data, plain * factor)
    assert got.metadata["time markers"][0] == [0.0, "Reaction start"]
    assert got.completeness == "declared"


def test_damaged_example_names_the_cell() -> None:
    with pytest.raises(InstrumentError, match=r"line 2, column 'Heat \[Signal\]'"):
        read_bytes(*real("calorimetry_tamair/corrupt_example.csv"))


def test_without_a_mass_the_table_is_not_empty() -> None:
    (got,) = read_bytes(tam_gen3(normalised=False, sections=False), "x.csv")
    assert got.variables["heat_flow"].data.tolist() == pytest.approx([-2, -1, 0, 1, 2, 3, 4, 5])
    assert "heat_flow_specific" not in got.variables
    assert got.metadata["normalised"].startswith("no")
    (both,) = read_bytes(tam_gen3(), "x.csv")
    assert both.metadata["normalised"].startswith("both")
    assert (both.completeness, got.completeness) == ("declared", "unverified")


def test_rows_missing_against_the_sections_make_it_partial() -> None:
    lines = tam_gen3().splitlines(True)
    short = b"".join(line for line in lines if not line.startswith(b"41.0,"))
    assert len(short) < sum(map(len, lines))
    (got,) = read_bytes(short, "x.csv")
    assert got.completeness == "partial"
    assert any("states 6 points; 5 are there" in w for w in got.warnings)


def test_each_channel_is_a_reading() -> None:
    three, four = read_bytes(tam_gen1(), "x.csv")
    assert (three.where, four.where) == ("Channel 3", "Channel 4")
    assert three.variables["heat_flow"].data.tolist() == pytest.approx([-0.1, -0.05, 0.0, 0.05, 0.1, 0.15])
    assert four.variables["heat_flow"].data.tolist() == pytest.approx([1.5, 1.4, 1.3, 1.2, 1.1, 1.0])
    with pytest.raises(InstrumentError, match="'1,3x' is not a number"):
        read_bytes(tam_gen1().replace(b"\t1,3000\t", b"\t1,3x\t"), "x.csv")

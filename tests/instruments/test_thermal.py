"""Thermal analysis: every number against a second, naive reading (numpy.loadtxt) or a second library (pyngb)."""

from __future__ import annotations

import builtins
import io
from typing import Any

import numpy as np
import pytest
from thermal_samples import mettler, netzsch, pyris, real, ta

from wastelab.errors import InstrumentError
from wastelab.instruments import read_bytes
from wastelab.instruments.readers.thermal_columns import day_time


def loadtxt(text: str, skip: int, rows: int, delimiter: str | None) -> np.ndarray:
    return np.loadtxt(io.StringIO(text), skiprows=skip, max_rows=rows, delimiter=delimiter)


@pytest.mark.parametrize(
    ("path", "skip", "rows"), [("netzsch_example_file.txt", 29, 270), ("netzsch_example3.txt", 35, 7022)]
)
def test_netzsch_text_equals_a_naive_reading(path: str, skip: int, rows: int) -> None:
    data, name = real(f"tga_netzsch_txt/{path}")
    (got,) = read_bytes(data, name)
    plain = loadtxt(data.decode("latin-1"), skip, rows, ";")
    np.testing.assert_array_equal(got.variables["temperature"].data, plain[:, 0])
    np.testing.assert_array_equal(got.variables["time"].data, plain[:, 1] * 60)
    np.testing.assert_array_equal(got.variables["mass_percent"].data, plain[:, 2])
    assert got.variables["temperature"].units == "degC"
    assert got.completeness == "unverified"


def test_netzsch_header_and_its_damaged_degree_sign() -> None:
    (got,) = read_bytes(*real("tga_netzsch_txt/netzsch_example3.txt"))
    assert (got.sample, got.operator, got.instrument) == ("CF-A_1000-ash", "TS", "NETZSCH STA 449F3")
    assert got.measured_at == "2024-10-08T15:04:00"
    assert [(v.quantity, v.value, v.unit) for v in got.values] == [("sample_mass", 4.28, "mg")]
    assert got.metadata["correction file"] == "blanc_1000_air.ngb-bs3"
    assert got.metadata["crucible"] == "DTA/TG crucible Al2O3"
    assert set(np.unique(got.variables["stage"].data)) == {1, 2}
    assert got.variables["gas_flow_purge2"].units == "mL/min"
    assert any("degree sign" in w for w in got.warnings)
    (first,) = read_bytes(*real("tga_netzsch_txt/netzsch_example_file.txt"))
    assert [float(first.variables[n].data[0]) for n in ("temperature", "time", "mass_percent")] == [
        27.141,
        0.0,
        99.98948,
    ]
    assert first.metadata["TYPE OF CRUCIBLE"] == "Al2O3 85 µl, open"
    assert not first.warnings


@pytest.mark.parametrize(
    "how",
    [{}, {"decimal": ","}, {"separator": "\t"}, {"separator": ","}, {"encoding": "gb18030"}, {"encoding": "utf-8"}],
)
def test_netzsch_variants_give_the_same_numbers(how: dict[str, str]) -> None:
    (got,) = read_bytes(netzsch(**how), "x.txt")
    (plain,) = read_bytes(netzsch(), "x.txt")
    assert list(got.variables) == [
        "time",
        "temperature",
        "mass_percent",
        "heat_flow_specific",
        "dtg",
        "gas_flow_purge2",
        "stage",
    ]
    assert [v.units for v in got.variables.values()] == ["s", "degC", "%", "mW/mg", "%/min", "mL/min", "1"]
    for name, variable in got.variables.items():
        np.testing.assert_array_equal(variable.data, plain.variables[name].data)
    np.testing.assert_array_equal(got.variables["time"].data, [0, 30, 60, 90, 120, 150])
    assert got.variables["heat_flow_specific"].long_name.endswith("exothermic down")
    assert got.values[0].value == 10.5


def test_netzsch_refuses_what_would_be_a_guess() -> None:
    with pytest.raises(InstrumentError, match=r"bad\.txt, line 21, column 'Mass/%': '9x' is not a number"):
        read_bytes(netzsch().replace(b"99.50000", b"9x"), "bad.txt")
    with pytest.raises(InstrumentError, match=r"line 19: has 6 cells where 7 are expected"):
        read_bytes(netzsch().replace(b";50.00000;1\r\n", b";50.00000\r\n", 2), "bad.txt")
    with pytest.raises(InstrumentError, match="mixes decimal commas and points"):
        read_bytes(netzsch(decimal=",").replace(b"50,00000", b"50.00000"), "bad.txt")
    with pytest.raises(InstrumentError, match="comma both as separator and as decimal mark"):
        read_bytes(netzsch().replace(b"#DECIMAL:POINT", b"#DECIMAL:COMMA").replace(b"SEMICOLON", b"COMMA"), "bad.txt")


@pytest.mark.parametrize(
    "path",
    [
        "Red_Oak_STA_10K_250731_R7.ngb-ss3",
        "Douglas_Fir_STA_10K_250730_R13.ngb-ss3",
        "01_Messung_Probe_G_300_Grad_Ar.ngb-ds3",
    ],
)
def test_netzsch_binary_equals_a_second_library(path: str, tmp_path: Any) -> None:
    data, name = real(f"sta_netzsch_ngb/{path}")
    got = read_bytes(data, name)[0]
    pyngb = pytest.importorskip("pyngb", reason="pyngb, the second reader of .ngb files, is not installed")
    (tmp_path / name).write_bytes(data)
    table = pyngb.read_ngb(str(tmp_path / name))
    renamed = {
        "sample_temperature": "temperature",
        "mass": "mass_change",
        "purge_flow_1": "gas_flow_purge1",
        "purge_flow_2": "gas_flow_purge2",
        "protective_flow": "gas_flow_protective",
    }
    assert len(table.schema.names) == len(got.variables)
    for column in table.schema.names:
        variable = got.variables[renamed.get(column, column)]
        assert variable.data.dtype in (np.float32, np.float64)
        np.testing.assert_array_equal(variable.data.astype(float), np.asarray(table[column]))


def test_netzsch_binary_figures() -> None:
    (oak,) = read_bytes(*real("sta_netzsch_ngb/Red_Oak_STA_10K_250731_R7.ngb-ss3"))
    assert oak.completeness == "declared"
    assert oak.variables["temperature"].data.dtype == np.float32
    assert oak.variables["temperature"].data[0] == np.float32(27.023)
    assert round(float(oak.variables["dsc_signal"].data[0]), 4) == -8.8516
    assert oak.variables["dsc_signal"].units == "uV"
    assert oak.measured_at == "2025-07-31T15:58:37+00:00"
    assert oak.metadata["crucible"].startswith("PtRh20")
    assert oak.values[0].value == 4.044
    sample, correction = read_bytes(*real("sta_netzsch_ngb/01_Messung_Probe_G_300_Grad_Ar.ngb-ds3"))
    assert (sample.where, correction.where) == ("sample run", "correction run")
    assert correction.sample == ""
    assert correction.values == []
    assert any("not subtracted" in w for w in sample.warnings)


def test_netzsch_binary_without_its_library_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    data, name = real("sta_netzsch_ngb/Red_Oak_STA_10K_250731_R7.ngb-ss3")
    importer = builtins.__import__

    def without(module: str, *args: Any, **kwargs: Any) -> Any:
        if module == "openreadout":
            raise ImportError(module)
        return importer(module, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(InstrumentError, match=r"pip install 'wastelab\[instruments\]'"):
        read_bytes(data, name)


def test_pyris_keeps_all_ten_stages() -> None:
    data, name = real("tga_perkinelmer_txt/PerkinElmer_example_file.txt")
    (got,) = read_bytes(data, name)
    rows = [line for line in data.decode().splitlines() if line.startswith("\t") and line[1:2].isdigit()]
    plain = np.loadtxt(rows)
    for k, column in enumerate(
        ("time", "mass", "baseline_mass", "program_temperature", "temperature", "gas_flow_sample", "gas_flow_balance")
    ):
        np.testing.assert_array_equal(got.variables[column].data, plain[:, k] * (60 if k == 0 else 1))
    stages, counts = np.unique(got.variables["stage"].data, return_counts=True)
    assert stages.tolist() == list(range(1, 11))
    assert counts.sum() == 12098
    assert got.completeness == "declared"
    assert got.values[0].value == 7.026
    assert sum(step[:1].isdigit() for step in got.metadata["heating program"]) == 10
    assert got.measured_at == ""
    assert any("day/month or month/day" in w for w in got.warnings)


def test_pyris_counts_its_points() -> None:
    (got,) = read_bytes(pyris(), "x.txt")
    assert (got.completeness, got.measured_at) == ("declared", "2026-04-25T08:20:41")
    assert got.variables["stage"].data.tolist() == [1, 1, 1, 2, 2]
    (short,) = read_bytes(pyris(stated=9), "x.txt")
    assert short.completeness == "partial"
    assert any("states 9 points; 5 are there" in w for w in short.warnings)
    with pytest.raises(InstrumentError, match="states 4 points but holds 5"):
        read_bytes(pyris(stated=4), "x.txt")


@pytest.mark.parametrize(
    ("path", "encoding", "skip", "rows", "first"),
    [
        ("MettlerToledo_example_file.txt.gz", "utf-8", 29, 12661, 4.92915),
        ("mp2028_281122_LNO+C.txt", "latin-1", 13, 4051, 4.17537),
    ],
)
def test_mettler_equals_a_naive_reading(path: str, encoding: str, skip: int, rows: int, first: float) -> None:
    data, name = real(f"tga_mettler_txt/{path}")
    (got,) = read_bytes(data, name)
    plain = loadtxt(data.decode(encoding), skip, rows, None)
    for k, column in enumerate(("time", "temperature", "program_temperature", "mass"), start=1):
        np.testing.assert_array_equal(got.variables[column].data, plain[:, k])
    assert plain[0, 4] == first
    assert got.completeness == "declared"


def test_mettler_curves_of_one_run_are_one_reading() -> None:
    data, name = real("tga_mettler_txt/MettlerToledo_example_file.txt.gz")
    (got,) = read_bytes(data, name)
    heat = loadtxt(data.decode(), 12722, 12661, None)
    np.testing.assert_array_equal(got.variables["heat_flow"].data, heat[:, 4])
    assert got.variables["heat_flow"].units == "mW"
    assert got.values[0].value == 4.9292
    (synthetic,) = read_bytes(mettler(), "x.txt")
    assert synthetic.variables["mass"].data.tolist() == [4.9, 4.8, 4.7, 4.6]
    assert synthetic.variables["heat_flow"].data.tolist() == [1.0, -0.5, -0.25, 0.125]
    with pytest.raises(InstrumentError, match="index does not count on"):
        read_bytes(b"".join(x for x in mettler().splitlines(True) if not x.startswith(b" " * 14 + b"1 ")), "x.txt")


def test_ta_equals_a_naive_reading_without_its_marks() -> None:
    data, name = real("tga_ta_txt/TAInstruments_example_file.txt.gz")
    (got,) = read_bytes(data, name)
    text = data.decode("utf-16")
    plain = np.loadtxt(io.StringIO(text[text.index("StartOfData") + 12 :]))
    plain = plain[plain[:, 0] >= 0]
    assert plain.shape == (15577, 5)
    for k, column in enumerate(("time", "temperature", "mass", "gas_flow_balance", "gas_flow_sample")):
        np.testing.assert_array_equal(got.variables[column].data, plain[:, k] * (60 if k == 0 else 1))
    assert got.completeness == "declared"
    assert got.metadata["marks"] == [[0, 1.0], [10177, 2.0]]
    assert (got.sample, got.measured_at, got.values[0].value) == ("example_sample", "2018-12-17T19:36:37", 20.821)
    (head,) = read_bytes(*real("tga_ta_txt/TAInstruments_example_head.txt"))
    assert head.completeness == "partial"
    np.testing.assert_array_equal(head.variables["mass"].data, got.variables["mass"].data[:3301])


def test_ta_without_its_end_row_is_partial() -> None:
    (whole,) = read_bytes(ta(), "x.txt")
    (cut,) = read_bytes(ta(ended=False), "x.txt")
    assert (whole.completeness, cut.completeness) == ("declared", "partial")
    assert whole.variables["mark"].data.tolist() == [1, 1, 2]
    with pytest.raises(InstrumentError, match="no mark that is known"):
        read_bytes(ta().replace("-3.0".encode("utf-16-le"), "-7.0".encode("utf-16-le"), 1), "x.txt")


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("30.03.2021 10:53", "2021-03-30T10:53:00"),
        ("2018/12/17", "2018-12-17"),
        ("6/17/2017 8:07:48 PM", "2017-06-17T20:07:48"),
        ("15/04/2021 15:06:14", "2021-04-15T15:06:14"),
        ("10/04/2023", ""),
        ("03/03/2023", "2023-03-03"),
        ("31.02.2024", ""),
        ("yesterday", ""),
        ("12/21/2018 12:00:00 AM", "2018-12-21T00:00:00"),
    ],
)
def test_dates_are_taken_only_where_they_mean_one_day(text: str, iso: str) -> None:
    got, problem = day_time(text)
    assert got == iso
    assert bool(problem) == (not iso)

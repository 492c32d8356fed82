"""Gas sorption: every point against adsorption-file-parser; what that library invents is not taken over."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from thermal_samples import bel_csv, bel_dat, micromeritics, quantachrome, real, three_p

from wastelab.errors import InstrumentError
from wastelab.instruments import read_bytes

FILES = {
    "sorption_micromeritics_xls/Sample_A.xls": {"manufacturer": "mic", "fmt": "xl"},
    "sorption_micromeritics_xls/Sample_B.xls": {"manufacturer": "mic", "fmt": "xl"},
    "sorption_micromeritics_xls/Sample_C.xls": {"manufacturer": "mic", "fmt": "xl"},
    "sorption_quantachrome_txt/BF001_DUT-13_(Raw_Analysis_Data).txt": {"manufacturer": "qnt", "fmt": "txt-raw"},
    "sorption_bel/200819-2_jis.DAT": {"manufacturer": "bel", "fmt": "dat", "lang": "JPN"},
    "sorption_bel/DUT-49_N2_77K.DAT": {"manufacturer": "bel", "fmt": "dat"},
    "sorption_bel/ASch082C_Zntmbdcdabco_C2H6_Exp190819a_jis.csv": {"manufacturer": "bel", "fmt": "csv", "lang": "JPN"},
    "sorption_3p_xlsx/CBV712_N2_77K.xlsx": {"manufacturer": "3p", "fmt": "xl"},
}


@pytest.mark.parametrize("path", FILES)
def test_points_equal_a_second_reader(path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data, name = real(path)
    (got,) = read_bytes(data, name)
    other = pytest.importorskip(
        "adsorption_file_parser", reason="adsorption-file-parser, the second reader, is not installed"
    )
    (tmp_path / name).write_bytes(data)
    _, table = other.read(str(tmp_path / name), **FILES[path])
    variables = got.variables
    np.testing.assert_array_equal(variables["loading"].data, table["loading"])
    relative: Any = table.get("pressure_relative")
    if "pressure" in variables:
        np.testing.assert_array_equal(variables["pressure"].data, table["pressure"])
    else:
        relative = table["pressure"]  # a relative one, under the other name
    if relative is not None:
        np.testing.assert_allclose(
            variables["relative_pressure"].data, relative, rtol=5e-3
        )  # printed with three digits
    if "saturation_pressure" in variables:
        np.testing.assert_array_equal(variables["saturation_pressure"].data, table["pressure_saturation"])
    if "branch" in table:
        np.testing.assert_array_equal(variables["branch"].data, table["branch"])
    branch, pressure = variables["branch"].data, variables["relative_pressure"].data
    assert (np.diff(branch) >= 0).all()
    if not any("turns back" in w for w in got.warnings):
        assert (np.diff(pressure[branch == 0]) >= 0).all()
        assert (np.diff(pressure[branch == 1]) <= 0).all()


def test_stated_surfaces_and_masses() -> None:
    a, b, c = (read_bytes(*real(f"sorption_micromeritics_xls/Sample_{x}.xls"))[0] for x in "ABC")
    assert [(v.quantity, v.value, v.unit) for v in a.values] == [
        ("sample_mass", 0.1013, "g"),
        ("bet", 194.7493, "m2/g"),
    ]
    assert [v.quantity for v in b.values] == ["sample_mass"]
    assert any("At least 2 Points" in w for w in b.warnings)
    assert {v.quantity: v.value for v in c.values}["bet"] == 594.9649
    assert c.measured_at == ""
    assert any("1970-01-01" in w for w in c.warnings)
    (p,) = read_bytes(*real("sorption_3p_xlsx/CBV712_N2_77K.xlsx"))
    assert {v.quantity: v.value for v in p.values} == {"sample_mass": 0.0304, "bet": 803.81799}


def test_quantachrome_volume_is_not_per_gram() -> None:
    (got,) = read_bytes(*real("sorption_quantachrome_txt/BF001_DUT-13_(Raw_Analysis_Data).txt"))
    assert got.variables["loading"].units == "cm3"
    assert any("not per gram" in w for w in got.warnings)
    assert got.measured_at == "2018-12-21"
    assert got.variables["branch"].data.sum() == 39
    (synthetic,) = read_bytes(quantachrome(), "x.txt")
    assert synthetic.variables["branch"].data.tolist() == [0, 0, 0, 1]
    np.testing.assert_allclose(
        synthetic.variables["relative_pressure"].data, np.array([1.06, 300.1, 700.2, 200.3]) / 764.44
    )


def test_shift_jis_figures() -> None:
    (dat,) = read_bytes(*real("sorption_bel/200819-2_jis.DAT"))
    assert (dat.variables["pressure"].data[0], dat.variables["loading"].data[0]) == (0.00017356, 0.29925)
    assert dat.metadata["コメント３"] == "prevac. R.T. 24h"
    assert (dat.measured_at, dat.completeness) == ("2020-08-19", "declared")
    assert dat.operator == ""  # the second comment is not the operator
    assert dat.values[0].value == 0.1874


@pytest.mark.parametrize("encoding", ["cp932", "utf-8"])
def test_bel_blocks_must_end(encoding: str) -> None:
    (dat,) = read_bytes(bel_dat(encoding), "x.dat")
    assert dat.variables["branch"].data.tolist() == [0, 0, 0, 1, 1]
    assert (dat.sample, dat.completeness) == ("SYN-06", "declared")
    (table,) = read_bytes(bel_csv(encoding), "x.csv")
    assert table.variables["branch"].data.tolist() == [0, 0, 0, 1]
    assert table.completeness == "declared"
    (short,) = read_bytes(bel_csv(encoding).replace(b"DES\n1,0,20,20,100,0.2,30\n", b"DES\n"), "x.csv")
    assert short.completeness == "partial"
    with pytest.raises(InstrumentError, match="point 3 follows point 1"):
        read_bytes(bel_dat(encoding).replace(b"2\t1.0\t98.5\t41.5\t5.5\n", b""), "x.dat")
    with pytest.raises(InstrumentError, match="Pe in kPa and P0 in Pa"):
        read_bytes(bel_dat(encoding).replace(b"P0/kPa", b"P0/Pa"), "x.dat")


def test_workbooks() -> None:
    (p,) = read_bytes(three_p(), "x.xlsx")
    assert p.variables["branch"].data.tolist() == [0, 0, 1]
    assert {v.quantity: v.value for v in p.values} == {"sample_mass": 0.0304, "bet": 803.818}
    (m,) = read_bytes(micromeritics(), "x.xlsx")
    assert m.variables["loading"].data.tolist() == [28.7, 65.7, 390.1, 100.2]
    assert m.variables["branch"].data.tolist() == [0, 0, 0, 1]
    assert (m.sample, m.measured_at) == ("SYN-10", "2026-06-17T12:27:21")

"""Mastersizer 2000: edges, the shift by one column, and quantiles computed again from the classes."""

from __future__ import annotations

import numpy as np
import pytest
from table_samples import mastersizer, numbers, real, workbook

from wastelab.errors import InstrumentError
from wastelab.instruments import read_all, read_bytes
from wastelab.instruments.readers.psd_mastersizer import quantile


def test_the_real_text() -> None:
    (found,) = read_all(real("psd_malvern_csv/malvern_ms2000_example1.csv"))
    got = numbers(found)
    assert (got["d10"], got["d50"], got["d90"], got["span"]) == (53.5, 74.796, 104.309, 0.679)
    assert found.measured_at == "2011-08-22T09:49:00" and found.operator == "Dave"
    volume, lower, upper = (found.variables[n].data for n in ("volume", "size_lower", "size_upper"))
    assert len(volume) == 100 and volume.sum() == pytest.approx(100.0, abs=1e-5)
    assert lower[0] == 0.01 and upper[-1] == 10000.0
    assert int(volume.argmax()) == 94 - 30 and volume.max() == 20.449133  # column 94 of the line, the first class is 30
    assert quantile(np.append(lower, upper[-1]), volume, 0.5) == pytest.approx(74.796, rel=0.02)
    assert not any("shifted" in w for w in found.warnings)


def test_the_real_workbook() -> None:
    found = read_all(real("psd_malvern_xlsx/example3.xlsx"))
    assert len(found) == 30
    first = numbers(found[0])
    assert (first["d10"], first["d50"], first["d90"]) == (13.067, 18.576, 26.4)
    assert first["specific_surface_psd"] == 0.335
    assert found[0].measured_at == "2012-09-12T14:41:53" and found[0].completeness == "declared"
    for reading in found:
        edges = np.append(reading.variables["size_lower"].data, reading.variables["size_upper"].data[-1])
        volume = reading.variables["volume"].data
        assert volume.sum() == pytest.approx(100.0, abs=1e-4)
        assert quantile(edges, volume, 0.5) == pytest.approx(numbers(reading)["d50"], rel=0.03)
        assert not any("shifted" in w for w in reading.warnings), reading.where
    assert [r.fields["replicate"] for r in found[:10]] == [str(i) for i in range(1, 11)]


@pytest.mark.parametrize("sep", [",", "\t", ";"])
def test_synthetic_table(sep: str) -> None:
    (found,) = read_bytes(mastersizer(sep=sep), "t.csv", format="psd_mastersizer")
    np.testing.assert_array_equal(found.variables["size_lower"].data, [1, 2, 4, 8])
    np.testing.assert_array_equal(found.variables["size_upper"].data, [2, 4, 8, 16])
    np.testing.assert_array_equal(found.variables["volume"].data, [10, 40, 40, 10])
    assert not found.warnings


def test_a_shift_by_one_column_shows_in_the_quantiles() -> None:
    data = mastersizer([(0.0, 0.0, 0.0, 0.0, 0.0, 100.0)])
    (found,) = read_bytes(data, "t.csv")
    assert any("d50 is printed as 4 um, but the classes give 45.25 um" in w for w in found.warnings)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b",1,2,4,8,16,", b",1,2,2,8,16,", "do not rise"),
        (b",,10.0,40.0", b",5,10.0,40.0", "no class below"),
        (b"40.0,40.0", b"40.0,", "no volume"),
        (b"40.0,40.0", b"40.0,-40.0", "outside of 0 to 100"),
        (b"Sizes in um", b"Sizes in mm", "expected um"),
    ],
)
def test_impossible_tables_are_refused(old: bytes, new: bytes, message: str) -> None:
    data = mastersizer()
    assert old in data
    with pytest.raises(InstrumentError, match=message):
        read_bytes(data.replace(old, new, 1), "t.csv")


def test_other_sheets_of_the_workbook_are_named() -> None:
    rows = [[float(c) if c.replace(".", "").isdigit() else c or None for c in line.split(",")]
            for line in mastersizer().decode().splitlines()]  # fmt: skip
    (found,) = read_bytes(workbook({"Data": rows, "Notes": [["checked"]]}), "t.xlsx")
    assert found.reader == "psd_mastersizer" and found.warnings == ("sheet 'Notes' was not read",)

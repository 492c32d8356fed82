"""PerkinElmer Winlab32: long form, day before month, 12-hour clock."""

from __future__ import annotations

import pytest
from table_samples import WINLAB, real, values

from wastelab.errors import InstrumentError
from wastelab.instruments import read_all, read_bytes


def test_the_real_file() -> None:
    first, second = read_all(real("icp_perkinelmer/winlab32.csv"))
    assert [r.sample for r in (first, second)] == ["DU-0001", "DU-0002"]
    assert [v.value for r in (first, second) for v in r.values] == [0.111, 0.222, 0.555, 0.666]
    assert {v.quantity for v in first.values} == {"metal:Ag", "metal:Al"} and first.values[0].unit == "mg/kg"
    assert first.measured_at == "2021-05-28T12:40:54" and first.technique == "metals"


def test_units_and_the_clock() -> None:
    first, second = read_bytes(WINLAB, "t.csv")
    assert values(first)["metal:Cd"].value == 0.31  # 310 ug/kg
    assert first.measured_at == "2026-05-28T13:40:54"
    assert second.measured_at == "2026-05-28T00:10:01"
    assert not first.warnings


def test_an_order_of_day_and_month_that_nothing_proves_is_said() -> None:
    (first, _) = read_bytes(WINLAB.replace(b"28-05-26", b"05-06-26"), "t.csv")
    assert first.measured_at.startswith("2026-06-05")
    assert any("day-month-year" in w for w in first.warnings)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"12.5,mg/kg", b"12.5,mg/L", "calculated back"),
        (b"12.5,mg/kg", b"12.5,", "no unit"),
        (b"Pb 220.353", b"Xx 220.353", "no element"),
        (b"28-05-26,01", b"31-02-26,01", "no date"),
        (b",12.5,", b",1.2.5,", "not a number"),
    ],
)
def test_faults_name_their_row(old: bytes, new: bytes, message: str) -> None:
    with pytest.raises(InstrumentError, match=message) as caught:
        read_bytes(WINLAB.replace(old, new, 1), "t.csv")
    assert "t.csv, row 2" in str(caught.value)


def test_several_lines_of_one_element_are_kept() -> None:
    data = WINLAB + b" S-2,Pb 261.418,28-05-26,12:10:01 AM,0.7,mg/kg\n"
    second = read_bytes(data, "t.csv")[1]
    assert [(v.value, v.text) for v in second.values] == [
        (0.5, "Pb 220.353: 0.5 mg/kg"),
        (0.7, "Pb 261.418: 0.7 mg/kg"),
    ]
    assert any("several lines" in w for w in second.warnings)

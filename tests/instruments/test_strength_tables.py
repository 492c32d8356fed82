"""The press with its curves, and strength sheets filled in by hand."""

from __future__ import annotations

import numpy as np
import pytest
from table_samples import numbers, press, read_text, real

from wastelab.errors import InstrumentError
from wastelab.instruments import read_all, read_bytes


def test_the_real_file_has_three_cubes_with_their_curves() -> None:
    cubes = read_all(real("strength_press_txt/Compressive_Strength.txt"))
    assert [c.where for c in cubes] == ["cube 1", "cube 2", "cube 3"]
    assert numbers(cubes[0]) == {
        "compressive_strength": 39.7, "failure_load": 896.3, "specimen_length": 149.55, "specimen_width": 150.83,
        "specimen_height": 149.64, "specimen_mass": 7756.0, "specimen_density": 2298.0,
    }  # fmt: skip
    assert pytest.approx(39.74, abs=0.01) == 896.3e3 / (149.55 * 150.83)
    assert [len(c.variables["load"].data) for c in cubes] == [724, 735, 744]
    for cube in cubes:
        assert cube.variables["load"].data.max() == pytest.approx(numbers(cube)["failure_load"], rel=2e-3)
        assert np.all(np.diff(cube.variables["time"].data) > 0)
        assert cube.fields["age"] == "38 d" and cube.measured_at == "2019-11-29T09:12:00"
        assert cube.completeness == "declared" and not cube.warnings
    assert [numbers(c)["compressive_strength"] for c in cubes] == [39.7, 41.8, 42.3]


def test_a_missing_cube_shows_in_the_mean() -> None:
    file = real("strength_press_txt/Compressive_Strength.txt")
    data = file.read_bytes()
    cut = data[: data.index(b"\n3;149.800")] + b"\n"
    cubes = read_bytes(cut, "t.txt")
    assert len(cubes) == 2 and all(c.completeness == "partial" for c in cubes)
    assert "a cube is missing" in cubes[0].warnings[-1]


def test_printed_strength_that_does_not_follow_from_the_load_is_said() -> None:
    first, _ = read_bytes(press().replace(b"900.0;40.0;1.00", b"900.0;45.0;1.00", 1), "t.txt")
    assert any("load / (length x width) is 40.00 MPa" in w for w in first.warnings)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"(28 d)", b"(27 d)", "28 d apart"),
        (b"\n3;100;100;1.5", b"\n4;100;100;1.5", "a line is missing"),
        (b";;;s;kN;mm", b";;;s;kN", "units"),
        (b"\n2;150.000", b"\n1;150.000", "stands twice"),
        (b"500.00", b"5oo.00", "not a number"),
    ],
)
def test_damaged_press_files_are_refused(old: bytes, new: bytes, message: str) -> None:
    with pytest.raises(InstrumentError, match=message):
        read_bytes(press().replace(old, new, 1), "t.txt")


def test_a_sheet_of_strength_in_chinese() -> None:
    found = read_text(
        "抗压强度试验 GB/T 17671-2021", "试件编号,配比,龄期(d),破坏荷载(kN),抗压强度(MPa),试验日期",
        "M1-1,M1,28,64.2,40.1,2026/3/2",
        "M1-2,M1,28,65.0,40.6,2026/3/2", encoding="gb18030",
    )  # fmt: skip
    assert [numbers(r) for r in found] == [
        {"failure_load": 64.2, "compressive_strength": 40.1},
        {"failure_load": 65.0, "compressive_strength": 40.6},
    ]
    assert found[0].fields == {"specimen": "M1-1", "mix": "M1", "age": "28 d"}
    assert found[0].technique == "strength" and found[0].method == "GB/T 17671-2021"


def test_ages_in_headings_become_readings_of_their_own() -> None:
    found = read_text("配比,3d抗压强度(MPa),28d抗压强度(MPa),28d抗折强度(MPa)", "M1,20,45,8")
    assert [(r.fields["age"], numbers(r)) for r in found] == [
        ("3 d", {"compressive_strength": 20.0}),
        ("28 d", {"compressive_strength": 45.0, "flexural_strength": 8.0}),
    ]


def test_an_age_without_a_unit_is_asked_for() -> None:
    with pytest.raises(InstrumentError, match="'28' is no age with a unit"):
        read_text("试件编号,龄期,抗压强度(MPa)", "C1,28,40")

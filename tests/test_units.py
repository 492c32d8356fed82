"""Units that people type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wastelab.errors import UnitError
from wastelab.units import parse, parse_number


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("5 %", "kg/kg", 0.05),
        ("5%", "%", 5.0),
        ("20 wt%", "wt%", 20.0),
        ("20 wt.%", "wt%", 20.0),
        ("0.3 kg/kg", "kg/kg", 0.3),
        ("0.05 kg/kg", "%", 5.0),
        ("1250 degC", "degC", 1250.0),
        ("1250 ℃", "degC", 1250.0),
        ("1250 °C", "degC", 1250.0),
        ("1523.15 K", "degC", 1250.0),
        ("30 min", "s", 1800.0),
        ("1.5 h", "min", 90.0),
        ("400 m2/kg", "m2/kg", 400.0),
        ("4000 cm2/g", "m2/kg", 400.0),
        ("400 m²/kg", "m2/kg", 400.0),
        ("3 g/cm3", "kg/m3", 3000.0),
        ("45 µm", "um", 45.0),
        ("85 Bq/kg", "Bq/kg", 85.0),
        ("60 元/t", "CNY/t", 60.0),
        ("60 RMB/t", "CNY/t", 60.0),
        ("2 mg/kg", "mg/kg", 2.0),
        ("50 km", "km", 50.0),
        ("3.15 GJ/t", "GJ/t", 3.15),
        ("3.15 MJ/kg", "GJ/t", 3.15),
        ("2.5", "", 2.5),
        (2.5, "", 2.5),
    ],
)
def test_reads(text, unit, value):
    assert parse(text, unit) == pytest.approx(value)


@pytest.mark.parametrize(
    ("text", "unit", "match"),
    [
        ("5", "kg/kg", "no unit"),
        (5, "%", "no unit"),
        ("five %", "%", "not a number"),
        ("", "%", "not a number"),
        ("5 degC", "kg/kg", "cannot be read"),
        ("5 %", "degC", "percentage"),
        ("5 furlongs per moon", "km", "cannot be read"),
        ("10 min", "%", "expected a percentage"),
        (True, "%", "not a number"),
        (None, "%", "not a number"),
        ([1], "", "not a number"),
    ],
)
def test_refuses(text, unit, match):
    with pytest.raises(UnitError, match=match):
        parse(text, unit, what="x")


@given(st.floats(-1e6, 1e6, allow_nan=False))
def test_numbers_survive(x):
    assert parse_number(f"{x!r} kg")[0] == x
    assert parse(f"{x!r} %", "%") == x

"""Temperature programs and atmospheres: what a person types, and what is refused."""

import numpy as np
import pytest

from wastelab.errors import UnitError, UnknownNameError, ValidityError
from wastelab.simulate.atmosphere import ATMOSPHERES, Atmosphere, as_atmosphere
from wastelab.simulate.heating import TemperatureProgram, as_program, kelvin


@pytest.mark.parametrize(
    "text",
    [
        "10 K/min to 1250 degC, hold 30 min",
        "10 degC/min to 1250 degC; hold 1800 s",
        "heating at 10 K/min to 1523.15 K then hold 0.5 h",
        "以10℃/min升温至1250℃,保温30分钟",
        "10 ℃/min 至 1250 ℃；恒温 0.5 小时",
    ],
)
def test_the_same_program_in_many_spellings(text):
    program = TemperatureProgram.parse(text)
    assert program.time_s == pytest.approx((0, 7350, 9150))
    assert np.array(program.temperature_K) - 273.15 == pytest.approx([25, 1250, 1250])
    assert program.duration_s == pytest.approx(9150) and program.peak_K == pytest.approx(1523.15)
    assert program.at([3675, 8000]) - 273.15 == pytest.approx([637.5, 1250])
    assert program.rates() == pytest.approx([1 / 6, 0.0])


def test_start_cooling_and_given_lengths():
    program = TemperatureProgram.parse("from 105 degC, in 30 min to 405 degC, hold 1 h, 20 K/min to 25 degC")
    assert program.time_s == pytest.approx((0, 1800, 5400, 5400 + 1140))
    assert np.array(program.temperature_K) - 273.15 == pytest.approx([105, 405, 405, 25])


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("10 K/min to 1250", "not understood"),
        ("10 to 1250 degC", "not understood"),
        ("1250 degC", "not understood"),
        ("10 furlong/min to 1250 degC", "cannot be read"),
        ("hold 0 min", "above zero"),
        ("10 K/min to 25 degC", "no length"),
        ("0 K/min to 600 degC", "never arrives"),
        ("-5 K/min to 600 degC", "cannot heat"),
        ("10 K/min to -50 degC", "outside 0 to 2000 degC"),
        ("10 K/min to 1250 kelvins degC", "not understood"),
        ("10 K/min to 600 degC, from 25 degC", "stands first"),
    ],
)
def test_programs_that_are_refused(text, words):
    with pytest.raises((UnitError, ValidityError), match=words):
        TemperatureProgram.parse(text)


def test_a_measured_program_starts_at_zero_and_has_no_empty_steps():
    program = as_program(([10.0, 20.0, 50.0], [300.0, 400.0, 400.0]))
    assert program.time_s == (0.0, 10.0, 40.0)
    with pytest.raises(ValidityError, match="corner 2: 20 s does not come after 20 s"):
        as_program(([0.0, 20.0, 20.0], [300.0, 400.0, 500.0]))
    with pytest.raises(ValidityError, match="not a number"):
        as_program(([0.0, 20.0], [300.0, np.nan]))
    with pytest.raises(ValidityError, match="empty"):
        as_program(([], []))


def test_temperatures_need_a_unit():
    assert kelvin("1250 degC") == pytest.approx(1523.15)
    assert kelvin("1523.15 K") == pytest.approx(1523.15)
    with pytest.raises(UnitError, match="no unit"):
        kelvin(1250)
    with pytest.raises(ValidityError, match="outside"):
        kelvin("-300 degC")


def test_presets_fill_one_bar_and_say_where_they_come_from():
    for name, gas in ATMOSPHERES.items():
        assert sum(gas.pressures.values()) == pytest.approx(1.0), name
        assert gas.source.text
    assert as_atmosphere(None) is ATMOSPHERES["air"]
    # SO2 of clean gases is an assumption that does not count as stated
    assert ATMOSPHERES["air"].p("SO2") == ATMOSPHERES["nitrogen"].p("SO2") == 1e-6
    assert "SO2" in ATMOSPHERES["air"].source.text and "SO2" in ATMOSPHERES["nitrogen"].source.text
    assert not ATMOSPHERES["air"].names_so2 and not as_atmosphere({"O2": "5 %"}).names_so2
    assert ATMOSPHERES["muffle"].names_so2 and as_atmosphere({"O2": "5 %", "SO2": 1e-6}).names_so2
    kiln = as_atmosphere("rotary_kiln").having(SO2=1e-2)
    assert kiln.p("SO2") == 1e-2 and sum(kiln.pressures.values()) == pytest.approx(1.0)
    assert "typed by the user" in kiln.source.text
    assert as_atmosphere({"CO2": "25 %", "O2": "0.03 bar"}).pressures == pytest.approx(
        {"CO2": 0.25, "O2": 0.03, "N2": 0.72}
    )


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        ("argon", UnknownNameError, "no atmosphere"),
        ({"CO3": 0.1}, UnknownNameError, "no gas"),
        ({"CO2": "25"}, UnitError, "share"),
        ({"CO2": None}, UnitError, "no pressure"),
        (5, ValidityError, "expected a preset"),
        ({"CO2": -0.1}, ValidityError, "between 0"),
        ({"CO2": 0.8, "O2": 0.4}, ValidityError, "sum to"),
    ],
)
def test_atmospheres_that_are_refused(value, error, words):
    with pytest.raises(error, match=words):
        as_atmosphere(value)
    with pytest.raises(ValidityError, match="total"):
        Atmosphere({"N2": 1.0}, total=0.0)


@pytest.mark.parametrize(
    "bad, said",
    [(None, "as measured"), (5, "as measured"), (([0, 60], [300]), "equally long"), ((["a"], [300]), "as measured")],
)
def test_what_is_no_program_is_refused_in_words(bad, said):
    with pytest.raises(ValidityError, match=said):
        as_program(bad)
    with pytest.raises(ValidityError, match="as many temperatures as times"):
        TemperatureProgram((0.0, 60.0), (300.0,))

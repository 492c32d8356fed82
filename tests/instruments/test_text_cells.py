"""Encodings, numbers, cells and dates: what they mean, and what is refused instead of guessed."""

from __future__ import annotations

import string
from datetime import date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wastelab.errors import InstrumentError
from wastelab.instruments.text import Cell, decimal_mark, decode, parse_cell, parse_date, parse_number


@pytest.mark.parametrize(
    ("text", "encoding", "words"),
    [
        ("样品,SiO2\n赤泥,18\n", "gb18030", ("样品",)),
        ("样品,SiO2\n赤泥,18\n", "gb18030", ("SiO2",)),
        ("样品,SiO2\n", "utf-8", ("SiO2",)),
        ("Probe;Größe;Prüfung\nA;1\n", "latin-1", ("Probe",)),
        ("sample,Blaine (m²/kg)\nA,350\n", "latin-1", ("sample",)),
        ("サンプル,圧力\nA,1\n", "cp932", ("圧力",)),
        ("sample,±\nA,5\n", "utf-16", ("sample",)),
    ],
)
def test_each_encoding_gives_back_its_text(text: str, encoding: str, words: tuple[str, ...]) -> None:
    found, _ = decode(text.encode(encoding), words, "x.csv")
    assert found == text


def test_a_text_cut_inside_a_character_is_refused() -> None:
    data = "样品,SiO2,备注\nA,18,赤泥".encode()
    with pytest.raises(InstrumentError, match="ends inside a UTF-8 character"):
        decode(data[:-1], ("SiO2",), "x.csv")


def test_binary_is_no_text() -> None:
    with pytest.raises(InstrumentError, match="zero bytes"):
        decode(b"sample\x00\x01", ("sample",), "x.csv")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("1.2E-3", Cell(0.0012)),
        ("１２．５", Cell(12.5)),
        ("−5", Cell(-5.0)),
        ("231 PPM", Cell(231.0, unit="ppm")),
        ("28.8 %", Cell(28.8, unit="%")),
        ("350 m²/kg", Cell(350.0, unit="m^2/kg")),
        ("1.2×10⁻³", Cell(0.0012)),
        ("1.2x10^3 Bq/kg", Cell(1200.0, unit="Bq/kg")),
        ("＜0.01", Cell(None, "below_detection", 0.01)),
        ("< 0.5 mg/L", Cell(None, "below_detection", 0.5, "mg/L")),
        ("ND(0.01)", Cell(None, "below_detection", 0.01)),
        ("未检出", Cell(None, "below_detection")),
        (">100", Cell(100.0, "above_range")),
        ("痕量", Cell(None, "trace")),
        ("—", Cell(None, missing=True)),
        ("/", Cell(None, missing=True)),
        ("", Cell(None, missing=True)),
        (3, Cell(3.0)),
        (float("nan"), Cell(None, missing=True)),
    ],
)
def test_what_a_cell_says(cell: object, expected: Cell) -> None:
    assert parse_cell(cell) == expected


@pytest.mark.parametrize(
    "cell",
    ["1,234.5", "1,234", "1 234", "10³", "5 10", "1.5.2", "1e400", "<", "abc", "12;5", True, "--5", "1/2", "10-20"],
)
def test_what_is_no_number_is_refused(cell: object) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_cell(cell)


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([".", ","]))
def test_every_printed_number_comes_back(number: float, decimal: str) -> None:
    text = repr(number).replace(".", decimal)
    assert parse_number(text, decimal) == number
    assert parse_cell(text, decimal).value == number


@given(st.text(max_size=40), st.sampled_from([".", ","]))
def test_a_cell_is_read_or_refused(text: str, decimal: str) -> None:
    try:
        found = parse_cell(text, decimal)
    except ValueError:
        return
    assert found.missing or found.flag or found.value is not None
    assert found.value is None or any(c.isdigit() for c in text)
    assert not (found.flag == "below_detection" and found.value is not None)


@given(st.text(alphabet=string.digits + ".,eE+-", min_size=1, max_size=12))
def test_no_number_is_read_with_the_wrong_mark(text: str) -> None:
    try:
        number = parse_number(text, ".")
    except ValueError:
        return
    assert "," not in text
    assert number == float(text)


@pytest.mark.parametrize(
    ("samples", "mark"),
    [
        (["0,198", "96,803"], ","),
        (["28,8 %", "<0,01"], ","),
        (["1.5", "2"], "."),
        (["5", "7"], "."),
        (["1,2±0,1"], ","),
    ],
)
def test_one_decimal_mark_for_a_file(samples: list[str], mark: str) -> None:
    assert decimal_mark(samples) == mark


def test_mixed_decimal_marks_are_refused() -> None:
    with pytest.raises(ValueError, match="mixed"):
        decimal_mark(["1,5", "1.5"])


@pytest.mark.parametrize(
    ("cell", "iso"),
    [
        ("2026-03-02", "2026-03-02"),
        ("2026/3/2", "2026-03-02"),
        ("2026年3月2日", "2026-03-02"),
        ("２０２６年３月２日", "2026-03-02"),
        ("02.03.2026", "2026-03-02"),
        ("20260302", "2026-03-02"),
        (20260302, "2026-03-02"),
        ("22/08/2011 09:49", "2011-08-22T09:49:00"),
        ("2 Mar 2026", "2026-03-02"),
        ("2026-3-2 2:05 PM", "2026-03-02T14:05:00"),
        ("2026-03-02 12:05:09 AM", "2026-03-02T00:05:09"),
        (datetime(2026, 3, 2), "2026-03-02"),
        (datetime(2026, 3, 2, 14, 5), "2026-03-02T14:05:00"),
        (date(2026, 3, 2), "2026-03-02"),
    ],
)
def test_dates(cell: object, iso: str) -> None:
    assert parse_date(cell) == iso


@pytest.mark.parametrize(
    "cell", ["03/02/2026", "2026-02-30", "28-05-21", "46083", 46083.0, "soon", "2026-13-01", "2026-03-02 25:00"]
)
def test_dates_that_are_not_guessed(cell: object) -> None:
    with pytest.raises(ValueError, match="write it as 2026-03-02"):
        parse_date(cell)


@given(
    st.datetimes(min_value=datetime(1950, 1, 1), max_value=datetime(2150, 1, 1)).map(lambda d: d.replace(microsecond=0))
)
def test_every_iso_date_comes_back(moment: datetime) -> None:
    assert parse_date(moment.isoformat()) == moment.isoformat("T", "seconds")
    assert parse_date(moment.date().isoformat()) == moment.date().isoformat()


@pytest.mark.parametrize(
    ("cell", "likely"),
    [("4O", "40"), ("4o.5", "40.5"), ("1O5", "105"), ("3I", "31"), ("<O.O5", "0.05"), ("O.45", "0.45"),
     ("l2.5", "12.5"), ("2l.5", "21.5")],
)  # fmt: skip
def test_a_letter_among_digits_is_no_unit(cell: str, likely: str) -> None:
    with pytest.raises(ValueError, match=r"is not a number: a letter stands for a digit") as caught:
        parse_cell(cell)
    assert f"({likely}?)" in str(caught.value) and repr(cell) in str(caught.value)


@pytest.mark.parametrize(("cell", "unit"), [("12 L", "L"), ("12L", "L"), ("5 l", "l"), ("4 Oe", "Oe"), ("7 d", "d")])
def test_units_of_those_letters_stay_units(cell: str, unit: str) -> None:
    assert parse_cell(cell).unit == unit

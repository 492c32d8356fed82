"""Cells of a table to values: unit, uncertainty, detection limit, date and text, with every fault collected."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime

from ...errors import UnitError
from ...i18n import Message, said_by, say
from ..base import Source, Value
from ..sheets import Cell, Problem
from ..text import parse_cell, parse_date, parse_number
from ..units import factor, normalise, times
from ..vocabulary import Term
from ._sheet_headings import CLOCK, Column, clean

_PLUS_MINUS = re.compile(r"^(.*?)\s*(?:±|\+/-|\+-)\s*(.+)$")
#: What a standard asks for; only ``<`` and ``ND`` say that something was not detected.
_LIMIT = re.compile(r"(?:[≤≥≦≧⩽⩾]|<\s*=|>\s*=|不大于|不小于|不超过|不低于|不高于|不少于|大于等于|小于等于)\s*[\d.,]")
_ABOUT = re.compile(r"^(?:~|≈|约|ca\.?\s|approx\.?\s|about\s)\s*")
_AGE = re.compile(r"(\d+(?:[.,]\d+)?)\s*(d|days?|天|日|h|hours?|小时|w|weeks?|周|min|分钟|months?|月)\.?", re.I)
_AGE_UNITS = {"d": "d", "day": "d", "days": "d", "天": "d", "日": "d", "h": "h", "hour": "h", "hours": "h", "小时": "h",
              "min": "min", "分钟": "min"}  # fmt: skip
_CLOCK = re.compile(r"(\d{1,3})\s*:\s*([0-5]\d)(?::00)?")
_HOURS = re.compile(r"(\d{1,3})\s*(?:h|hours?|hrs?|小时|时)\s*(?:([0-5]?\d)\s*(?:min|m|分钟|分)?)?", re.I)
#: Terms whose number may stand without a unit because a whole analysis says what it is.
_SHARE = "wt%"


@dataclass
class Faults:
    """Problems of a file, found one after the other and reported together."""

    found: list[Problem] = field(default_factory=list)

    def add(self, where: str, said: Message) -> None:
        """Note a fault once."""
        problem = Problem(where, said)
        if problem not in self.found[-50:]:
            self.found.append(problem)


def text_of(cell: Cell) -> str:
    """A cell as text: ``101.0`` is ``"101"``, a date is ISO."""
    if cell is None:
        return ""
    if isinstance(cell, datetime):
        return parse_date(cell)
    if isinstance(cell, float):
        return f"{cell:.12g}"
    return " ".join(str(cell).split())


def age_of(cell: Cell, unit: str = "") -> str:
    """An age as ``"28 d"``.

    Raises
    ------
    ValueError
        If it has no unit or is none.
    """
    text = clean(text_of(cell))
    match = _AGE.fullmatch(text)
    if match is None and unit:
        match = _AGE.fullmatch(f"{text} {unit}")
    if match is None:
        raise ValueError(say("sheet.no_age", cell=text))
    number = float(match[1].replace(",", "."))
    mark = match[2].lower()
    if mark in ("w", "week", "weeks", "周"):
        number, mark = number * 7, "d"
    if mark in ("月", "month", "months"):
        raise ValueError(say("sheet.age_months", cell=text))
    return f"{number:g} {_AGE_UNITS[mark]}"


def minutes_of(cell: Cell, unit: str) -> str:
    """``2:25``, ``2h25min`` or ``2小时25分`` as ``"145 min"``; an empty string for what is no hours and minutes.

    Raises
    ------
    ValueError
        If the heading asks for hours and minutes and the cell is a bare number.
    """
    text = clean(text_of(cell)).replace("：", ":")
    match = _HOURS.fullmatch(text) or (_CLOCK.fullmatch(text) if unit in ("", "min", CLOCK) else None)
    if match:
        return f"{60 * int(match[1]) + int(match[2] or 0)} min"
    if unit == CLOCK and re.fullmatch(r"[\d.,]+", text):
        raise ValueError(say("sheet.no_clock", cell=text))
    if _CLOCK.fullmatch(text):
        raise ValueError(
            say("sheet.clock_unit", cell=text, minutes=60 * int(text.split(":")[0]) + int(text.split(":")[1]))
        )
    return ""


def convert(number: float, unit: str, term: Term) -> float:
    """A number in the unit of the vocabulary, exact in decimal arithmetic."""
    return times(number, factor(unit, term.unit))


def converted(source: Source, number: float | None, unit: str, term: Term, where: str) -> float | None:
    """`convert` for a vendor's file: an unknown unit is a fault of the file, with its place.

    Raises
    ------
    InstrumentError
    """
    if number is None:
        return None
    try:
        return convert(number, unit, term)
    except UnitError as exc:
        raise source.fail(said_by(exc), where) from None


@dataclass(frozen=True, slots=True)
class Raw:
    """One cell as it stands: numbers in the unit `unit`, not yet in that of the vocabulary."""

    value: float | None
    flag: str = ""
    lod: float | None = None
    sigma: float | None = None
    k: float | None = None
    unit: str = ""
    text: str = ""
    missing: bool = False


def read_cell(cell: Cell, decimal: str) -> Raw:
    """Number, limit, uncertainty and unit of a cell.

    Raises
    ------
    ValueError
        If it is none of these.
    """
    if cell is None:
        return Raw(None, missing=True)
    if isinstance(cell, datetime):
        raise ValueError(say("sheet.is_date", cell=parse_date(cell)))
    if not isinstance(cell, str):
        found = parse_cell(cell)
        return Raw(found.value, missing=found.missing)
    text = clean(cell)
    if _LIMIT.match(text):
        raise ValueError(say("sheet.looks_limit", cell=text))
    sigma = k = None
    body = text
    match = re.search(r"[\s(,;]*k\s*=\s*(\d+(?:[.,]\d+)?)\s*\)?\s*$", body, re.I)
    if match:
        k = parse_number(match[1], "," if "," in match[1] else ".")
        body = body[: match.start()].strip()
    estimated = _ABOUT.match(body)
    if estimated:
        body = body[estimated.end() :]
    pair = _PLUS_MINUS.match(body)
    if pair:
        head, tail = pair[1].strip().lstrip("("), pair[2].strip()
        second = parse_cell(tail.replace(")", "", 1) if ")" in tail and "(" not in tail else tail, decimal)
        if second.value is None or second.flag:
            raise ValueError(say("sheet.after_plus_minus", cell=text))
        first = parse_cell(head, decimal)
        if first.value is None or first.flag:
            raise ValueError(say("sheet.before_plus_minus", cell=text))
        if second.unit == "%" and first.unit not in ("", "%"):
            sigma = first.value * second.value / 100.0
        elif first.unit and second.unit and normalise(first.unit) != normalise(second.unit):
            raise ValueError(say("sheet.two_units", cell=text))
        else:
            sigma = second.value
        if sigma < 0:
            raise ValueError(say("sheet.negative_sigma", cell=text))
        unit = first.unit or second.unit
        return Raw(first.value, "estimated" if estimated else "", None, sigma, k, normalise(unit) if unit else "", text)
    found = parse_cell(body, decimal)
    unit = normalise(found.unit) if found.unit else ""
    if estimated and found.flag:
        raise ValueError(say("sheet.estimate_and_limit", cell=text))
    flag = "estimated" if estimated and found.value is not None else found.flag
    marked = str(cell).strip().strip("*＊") != str(cell).strip()  # 18.4*: a remark at the foot may say what it means
    if marked:
        text = " ".join(str(cell).split())
    plain = found.value is not None and not flag and not unit and k is None and not marked
    return Raw(found.value, flag, found.lod, None, k, unit, "" if plain else text, found.missing)


@dataclass
class Cellwork:
    """What is needed to turn the cells of one table into values."""

    faults: Faults
    decimal: str
    share_said: bool = False
    default_unit: str = ""

    def unit_for(
        self, column: Column, raw_unit: str, row_unit: str, closes: bool, where: str, cell: Cell
    ) -> str | None:
        """The unit of a cell, or None with a fault noted where it would be a guess."""
        term = column.term
        assert term is not None
        if raw_unit:
            return raw_unit
        if column.unit:
            return column.unit
        if row_unit:
            return row_unit
        if term.unit == "1":
            return "1"
        if self.default_unit:
            try:
                factor(self.default_unit, term.unit)
                return self.default_unit
            except UnitError:
                pass
        if term.unit == _SHARE and is_analysis(column.name) and (self.share_said or closes):
            return "%"
        self.faults.add(
            where,
            say("sheet.no_unit", cell=text_of(cell), unit=term.unit, heading=clean(column.heading) or column.name),
        )
        return None

    def value(
        self, column: Column, cell: Cell, where: str, *, row_unit: str = "", closes: bool = False, basis: str = "",
        sigma: tuple[Column, Cell, str] | None = None, lod: tuple[Column, Cell, str] | None = None,
        k: float | None = None,
    ) -> Value | None:  # fmt: skip
        """The value of a cell; None where it was not measured or a fault was noted."""
        term = column.term
        assert term is not None
        printed = ""
        try:
            if term.unit == "min" and not isinstance(cell, datetime):
                minutes = minutes_of(cell, column.unit)
                if minutes:
                    printed, cell = text_of(cell), minutes
            raw = read_cell(cell, self.decimal)
        except ValueError as exc:
            expected = "sheet.expect_number" if term.unit == "1" else "sheet.expect_number_in"
            self.faults.add(where, said_by(exc) + say(expected, wanted=term.unit))
            return None
        if raw.missing:
            return None
        if (raw.unit == "L" and raw.value is not None and term.unit == "mg/L") or (
            raw.unit == "L" and raw.value is not None and re.fullmatch(r"[\d.,]+L", str(cell).strip())
        ):
            raw = Raw(None, "below_detection", raw.value, unit="", text=raw.text)  # limit with an L: below it
        if raw.value is None and raw.lod is None and not raw.unit:
            unit: str | None = column.unit or row_unit or term.unit
        else:
            unit = self.unit_for(column, raw.unit, row_unit, closes, where, cell)
        if unit is None:
            return None
        try:
            number = None if raw.value is None else convert(raw.value, unit, term)
            limit = None if raw.lod is None else convert(raw.lod, unit, term)
            spread = None if raw.sigma is None else convert(raw.sigma, unit, term)
        except UnitError as exc:
            said = say("sheet.cell_unit", cell=text_of(cell), cell_unit=unit) + said_by(exc)
            self.faults.add(where, said + _mg_per_litre(unit, term))
            return None
        notes = [printed or raw.text or (f"{text_of(cell)} {unit}" if factor(unit, term.unit) != 1.0 else "")]
        coverage = raw.k if raw.k is not None else (k if spread is not None else None)
        if spread is not None:
            spread, note = _standard(spread, coverage, False)
            notes.append(note)
        if sigma is not None and number is not None:
            stated = self._sigma(*sigma, number=number, unit=unit, term=term, k=k)
            if stated is not None:
                if spread is not None:
                    self.faults.add(where, say("sheet.two_sigmas"))
                    return None
                spread, coverage, note = stated
                notes.append(note)
        if lod is not None and limit is None:
            limit = self._limit(*lod, unit=unit, term=term)
        flag = raw.flag
        if number is not None and not flag and limit is not None and limit > 0 and number < limit:
            notes.insert(0, notes.pop(0) or text_of(cell))
            notes.append(f"printed {text_of(cell)} {unit} is below the detection limit")
            number, spread, coverage, flag = None, None, None, "below_detection"
        if flag in ("below_detection", "trace"):
            spread = coverage = None
        basis = column.basis or term.basis or basis
        return Value(
            column.name,
            number,
            term.unit,
            spread,
            coverage,
            limit,
            flag,
            basis,
            "; ".join(n for n in notes if n),
            where,
        )

    def _sigma(
        self, column: Column, cell: Cell, where: str, *, number: float, unit: str, term: Term, k: float | None
    ) -> tuple[float, float | None, str] | None:
        try:
            raw = read_cell(cell, self.decimal)
            if raw.missing:
                return None
            if raw.value is None or raw.flag or raw.value < 0:
                raise ValueError(say("sheet.no_sigma", cell=text_of(cell)))
            own = raw.unit or column.unit
            share = unit in ("%", "wt%")
            if column.role == "relative_sigma" or (own == "%" and not share and term.unit != "%"):
                spread = abs(number) * raw.value / 100.0
            else:
                spread = convert(raw.value, own or unit, term)
        except (ValueError, UnitError) as exc:
            self.faults.add(where, said_by(exc) + say("sheet.expect_sigma", wanted=term.unit))
            return None
        coverage = raw.k if raw.k is not None else (column.k if column.k is not None else k)
        spread, note = _standard(spread, coverage, column.expanded)
        return spread, coverage, note

    def _limit(self, column: Column, cell: Cell, where: str, *, unit: str, term: Term) -> float | None:
        try:
            raw = read_cell(cell, self.decimal)
            if raw.missing:
                return None
            number = raw.value if raw.value is not None else raw.lod
            if number is None or number < 0:
                raise ValueError(say("sheet.no_limit", cell=text_of(cell)))
            return convert(number, raw.unit or column.unit or unit, term)
        except (ValueError, UnitError) as exc:
            self.faults.add(where, said_by(exc) + say("sheet.expect_limit", wanted=term.unit))
            return None


def _standard(spread: float, k: float | None, expanded: bool) -> tuple[float, str]:
    """A printed uncertainty as a standard one, and what was assumed."""
    if k is not None and k > 0:
        return float(f"{spread / k:.12g}"), f"U = {spread:g} (k = {k:g})"
    if expanded:
        return float(f"{spread / 2.0:.12g}"), f"U = {spread:g}, expanded without k: taken as k = 2"
    return spread, "uncertainty taken as standard (k = 1)"


def _mg_per_litre(unit: str, term: Term) -> Message:
    liquid = unit in ("mg/L", "ug/L") and term.unit in ("wt%", "mg/kg")
    if term.unit == "mg/L" and unit in ("mg/kg", "ug/kg", "g/kg", "%", "wt%"):
        return say("sheet.leached_solid")
    return say("sheet.leachate") if liquid else Message()


def is_analysis(name: str) -> bool:
    """True for what adds up to a whole: oxides, loss on ignition, the printed sum, mineral phases."""
    return name in ("LOI", "oxide_sum", "CO2", "H2O") or name.startswith("phase:") or is_oxide(name)


def is_oxide(name: str) -> bool:
    """True for the formula of an oxide."""
    return re.fullmatch(r"[A-Z][a-z]?\d?O\d?\d?", name) is not None and name != "oxide_sum"

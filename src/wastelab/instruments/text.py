"""Text of instruments and spreadsheets: encodings, decimal commas, detection limits, numbers with units.

Encodings are tried in one fixed, strict order and confirmed by header words that the format must hold; generic
detectors turn short Chinese sheets into gibberish.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from ..i18n import say
from .base import failure

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
ENCODINGS = ("utf-8", "gb18030", "cp932", "latin-1")
_NOT_DETECTED = frozenset(
    ("nd", "n.d.", "n.d", "not detected", "notdetected", "bdl", "b.d.l.", "<lod", "< lod", "<dl", "<lld", "lod",
     "未检出", "未检测出", "低于检出限", "检不出", "未检出(nd)")
)  # fmt: skip
_MISSING = frozenset(("", "-", "--", "—", "–", "/", "\\", "na", "n/a", "n.a.", "nan", "none", "null", "无", "未测",
                      "未检测", "#n/a", "*"))  # fmt: skip
_NOT_DETECTED_BELOW = re.compile(
    r"(?:n\.?d\.?|not detected|bdl|<\s*lod|<\s*lld|未检出|低于检出限)\s*[(<]+\s*<?"
    r"\s*([\d.,]+(?:e[+-]?\d+)?)\s*([^()]*?)\s*\)?"
)
#: A number, perhaps times a power of ten, perhaps with something after it.
_QUANTITY = re.compile(
    r"([+-]?[\d.,]+(?:[eE][+-]?\d+)?)(?:\s*[x×*·]\s*10\s*\^\s*\(?([+-]?\d{1,3})\)?)?(?:\s*([^\d\s.,].*))?"
)
_UNIT = re.compile(r"[A-Za-zµμ°℃%‰Ω\u4e00-\u9fff][A-Za-zµμ°℃%‰Ω\u4e00-\u9fff/·*^()0-9.²³\-\s]{0,19}")
_SUPERSCRIPT = re.compile("[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
#: Digits of which some are letters that look like digits, with nothing between them.
_LETTERS_FOR_DIGITS = re.compile(r"[+-]?(?=[OoIl]*[\d.,])(?=[\d.,]*[OoIl])[\dOoIl.,]+")
_LITRES = re.compile(r"[+-]?[\d.,]+l")
_DIGITS = str.maketrans("OoIl", "0011")
_NUMBER = re.compile(r"^[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?$")


def decode(data: bytes, words: Sequence[str] = (), name: str = "<bytes>") -> tuple[str, str]:
    """Text and encoding of bytes.

    Order: byte-order mark, UTF-8, GB18030, cp932, latin-1, each strict. With `words`, the one whose text holds
    most of them (case-insensitive) is taken, the earlier one of the order where several hold as many.

    Raises
    ------
    InstrumentError
        If a byte-order mark lies, the last character is cut, the bytes are no text, or no encoding gives a text with
        one of the words.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            body = data[len(bom) :] if encoding != "utf-8-sig" else data
            try:
                return body.decode(encoding), encoding
            except UnicodeDecodeError as exc:
                raise failure(name, say("sheet.text_mark", encoding=encoding, byte=exc.start)) from None
    if b"\x00" in data[:4096]:
        raise failure(name, say("sheet.text_zeros"))
    lowered = list(dict.fromkeys(w.lower() for w in words))
    best: tuple[int, str, str] | None = None
    for encoding in ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as exc:
            if encoding == "utf-8" and _cut_inside_character(data, exc):
                raise failure(name, say("sheet.text_cut", byte=exc.start)) from None
            continue
        if not lowered:
            return text, encoding
        low = text.lower()
        found = sum(w in low for w in lowered)
        if encoding == "utf-8" and found:
            return text, encoding
        if found and not _mistaken(text, encoding) and (best is None or found > best[0]):
            best = (found, text, encoding)
    if best is not None:
        return best[1], best[2]
    raise failure(name, say("sheet.text_encoding", words=", ".join(words[:6])))


def _cut_inside_character(data: bytes, exc: UnicodeDecodeError) -> bool:
    """True where the text is UTF-8 with letters beyond ASCII up to its very last, unfinished character."""
    if exc.reason != "unexpected end of data" or exc.end < len(data):
        return False
    return any(b > 127 for b in data[: exc.start])


def _mistaken(text: str, encoding: str) -> bool:
    """True where a strict decoding went through but cannot be meant.

    Latin-1 ``m²/kg`` is half-width katakana in Shift-JIS; latin-1 ``Prüfung`` is one lone hanzi in GB18030.
    """
    if encoding == "cp932":
        kana = re.search("[\uff61-\uff9f]", text)
        return bool(kana) and re.search("[\u3040-\u30ff\u4e00-\u9fff]", text) is None
    if encoding == "gb18030":
        runs = re.findall("(.?)([\u4e00-\u9fff]+)", text)
        return bool(runs) and all(len(run) == 1 and before.isascii() and before.islower() for before, run in runs)
    return False


@dataclass(frozen=True, slots=True)
class Cell:
    """What a cell says: a number, "below a limit", "not detected", or nothing.

    Attributes
    ----------
    value : float or None
    flag : {"", "below_detection", "above_range", "trace"}
    lod : float or None
        The limit of ``"<0.01"``.
    unit : str
        Unit printed in the cell (``"231 PPM"`` gives ``"ppm"``), lower case for ppm and ppb.
    missing : bool
        True for an empty cell, ``-``, ``/``, ``N/A``: not measured.
    """

    value: float | None
    flag: str = ""
    lod: float | None = None
    unit: str = ""
    missing: bool = False


def _plain(text: str) -> str:
    """Full-width letters and signs as plain ones; superscripts as ``^3``, so that ``10³`` is never read as 103."""
    body = _SUPERSCRIPT.sub(lambda m: "^" + m[0], text)
    return unicodedata.normalize("NFKC", body).replace("\u2212", "-").strip()


def parse_number(text: str, decimal: str = ".") -> float:
    """A number with the given decimal mark; group separators are not accepted.

    Raises
    ------
    ValueError
        If it is not a plain finite number.
    """
    body = _plain(text)
    other = "," if decimal == "." else "."
    if other in body or not _NUMBER.match(body):
        raise ValueError(say("sheet.no_number_mark", cell=text, mark=decimal))
    number = float(body.replace(decimal, "."))
    if not math.isfinite(number):
        raise ValueError(say("sheet.not_finite", cell=text))
    return number


def parse_cell(cell: object, decimal: str = ".") -> Cell:
    """Read one cell of a table: number, ``"<0.01"``, ``"ND"``, ``"未检出"``, ``"tr"``, ``"231 PPM"``, ``"28,8 %"``.

    Parameters
    ----------
    cell : str, int, float or None
    decimal : {".", ","}

    Raises
    ------
    ValueError
        If it is none of these; the caller names file, row and column.
    """
    if cell is None:
        return Cell(None, missing=True)
    if isinstance(cell, bool):
        raise ValueError(say("sheet.no_number", cell=str(cell)))
    if isinstance(cell, int | float):
        number = float(cell)
        if math.isnan(number):
            return Cell(None, missing=True)
        if math.isinf(number):
            raise ValueError(say("sheet.not_finite", cell=str(cell)))
        return Cell(number)
    text = _plain(str(cell))
    low = text.lower()
    if low in _MISSING:
        return Cell(None, missing=True)
    if low in _NOT_DETECTED:
        return Cell(None, "below_detection")
    if low in ("tr", "tr.", "trace", "痕量", "微量"):
        return Cell(None, "trace")
    with_limit = _NOT_DETECTED_BELOW.fullmatch(low)
    if with_limit:
        return Cell(None, "below_detection", parse_number(with_limit[1], decimal), _unit(cell, text, with_limit[2]))
    flag = ""
    if low[0] in "<≤":
        flag, text = "below_detection", text[1:].lstrip("= ").strip()
    elif low[0] in ">≥":
        flag, text = "above_range", text[1:].lstrip("= ").strip()
    if _LETTERS_FOR_DIGITS.fullmatch(text) and not _LITRES.fullmatch(text):
        raise ValueError(say("sheet.letter_digit", cell=str(cell), likely=text.translate(_DIGITS)))
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(say("sheet.no_number", cell=str(cell)))
    number = parse_number(match[1], decimal)
    if match[2]:
        mantissa = match[1].replace(decimal, ".")
        number = float(f"{mantissa}e{int(match[2])}") if "e" not in mantissa.lower() else float("nan")
        if not math.isfinite(number):
            raise ValueError(say("sheet.not_finite", cell=str(cell)))
    unit = _unit(cell, text, match[3] or "")
    if flag == "below_detection":
        return Cell(None, flag, number, unit)
    return Cell(number, flag, None, unit)


def _unit(cell: object, text: str, tail: str) -> str:
    """The unit after a number; a second number there (``"1 234"``) is refused."""
    unit = tail.strip().rstrip("-").strip()
    if not unit:
        return ""
    if not _UNIT.fullmatch(unit):
        raise ValueError(say("sheet.no_number_unit", cell=str(cell)))
    return unit.lower() if unit.lower() in ("ppm", "ppb") else unit


_SIGNED = re.compile(r"^[<>≤≥~≈=\s]*([+-]?[\d.,]*\d[\d.,]*)(?:[eE][+-]?\d+)?\s*(?:[%\u2030A-Za-z±(].*)?$")


def decimal_mark(samples: Sequence[str]) -> str:
    """The decimal mark used in a set of number texts: ``","`` only if commas occur and points never do.

    Raises
    ------
    ValueError
        If both occur as decimal marks (``"1,5"`` and ``"1.5"``): the meaning of each would be a guess.
    """
    bodies = [m[1] for m in map(_SIGNED.match, (unicodedata.normalize("NFKC", s).strip() for s in samples)) if m]
    comma = any(re.fullmatch(r"[+-]?\d*,\d+", body) for body in bodies)
    point = any(re.fullmatch(r"[+-]?\d*\.\d+", body) for body in bodies)
    if comma and point:
        raise ValueError(say("sheet.marks_mixed"))
    return "," if comma else "."


def parse_date(cell: object) -> str:
    """A date, with its time where there is one, as ISO 8601 (``"2026-03-02"``, ``"2026-03-02T14:05:00"``).

    Understands real dates of a spreadsheet, ``2026-03-02``, ``2026/3/2``, ``2026.3.2``, ``2026年3月2日``,
    ``20260302``, ``02.03.2026``, ``2 Mar 2026`` and, where only one order is possible, ``22/08/2011``; each may be
    followed by ``14:05``, ``14:05:30`` or ``2:05 PM``.

    Parameters
    ----------
    cell : str, int, float, datetime.datetime or datetime.date

    Raises
    ------
    ValueError
        If it is no date, does not exist, or day and month could be exchanged (``03/02/2026``).
    """
    if isinstance(cell, datetime):
        return (
            cell.date().isoformat()
            if (cell.hour, cell.minute, cell.second) == (0, 0, 0)
            else cell.isoformat("T", "seconds")
        )
    if isinstance(cell, date):
        return cell.isoformat()
    if isinstance(cell, float) and cell.is_integer():
        cell = int(cell)
    text = unicodedata.normalize("NFKC", str(cell)).strip()
    match = _DATE.fullmatch(text)
    if match is None:
        raise ValueError(say("sheet.no_date", cell=text))
    parts = match.groupdict()
    if parts["y1"]:
        year, month, day = int(parts["y1"]), int(parts["m1"]), int(parts["d1"])
    elif parts["y2"]:
        year, month, day = int(parts["y2"][:4]), int(parts["y2"][4:6]), int(parts["y2"][6:])
    elif parts["y4"]:
        month = _MONTHS.index(parts["m4"][:3].lower()) + 1
        year, day = int(parts["y4"]), int(parts["d4"])
    else:
        first, second, year = int(parts["a3"]), int(parts["b3"]), int(parts["y3"])
        if parts["sep3"] == "." or first > 12:
            day, month = first, second
        elif second > 12 or first == second:
            day, month = second, first
        else:
            raise ValueError(say("sheet.two_dates", cell=text))
    try:
        if not parts["hour"]:
            found = datetime(year, month, day)
            if not 1900 <= year <= 2200:
                raise ValueError("year")
            return found.date().isoformat()
        hour, half = int(parts["hour"]), (parts["half"] or "").lower()
        if half:
            if not 1 <= hour <= 12:
                raise ValueError("hour")
            hour = hour % 12 + (12 if half in ("pm", "下午") else 0)
        return datetime(year, month, day, hour, int(parts["minute"]), int(parts["second"] or 0)).isoformat(
            "T", "seconds"
        )
    except ValueError:
        raise ValueError(say("sheet.impossible_date", cell=text)) from None


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DATE = re.compile(
    r"(?:(?P<y1>\d{4})\s*[-/.年]\s*(?P<m1>\d{1,2})\s*[-/.月]\s*(?P<d1>\d{1,2})\s*日?"
    r"|(?P<y2>(?:19|20|21)\d{6})"
    r"|(?P<a3>\d{1,2})(?P<sep3>[-/.])(?P<b3>\d{1,2})(?P=sep3)(?P<y3>\d{4})"
    r"|(?P<d4>\d{1,2})[\s-](?P<m4>jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}[\s-](?P<y4>\d{4}))"
    r"(?:(?:T|\s*,?\s+)(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:\.\d+)?)?\s*(?P<half>am|pm)?)?",
    re.IGNORECASE,
)

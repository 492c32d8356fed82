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

from ..errors import InstrumentError

_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
ENCODINGS = ("utf-8", "gb18030", "cp932", "latin-1")
_NOT_DETECTED = frozenset(
    ("nd", "n.d.", "n.d", "not detected", "notdetected", "bdl", "b.d.l.", "<lod", "< lod", "<dl", "<lld", "lod",
     "未检出", "未检测出", "低于检出限", "检不出", "未检出(nd)")
)  # fmt: skip
_MISSING = frozenset(("", "-", "--", "—", "–", "/", "\\", "na", "n/a", "n.a.", "nan", "none", "null", "无", "未测", "未检测",
                      "#n/a", "*"))  # fmt: skip
_NUMBER = re.compile(r"^[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?$")


def decode(data: bytes, words: Sequence[str] = (), name: str = "<bytes>") -> tuple[str, str]:
    """Text and encoding of bytes.

    Order: byte-order mark, UTF-8, GB18030, cp932, latin-1, each strict. With `words`, the first whose text
    holds one of them (case-insensitive) is taken.

    Raises
    ------
    InstrumentError
        If a byte-order mark lies, or no encoding gives a text with one of the words.
    """
    for bom, encoding in _BOMS:
        if data.startswith(bom):
            body = data[len(bom) :] if encoding != "utf-8-sig" else data
            try:
                return body.decode(encoding), encoding
            except UnicodeDecodeError as exc:
                raise InstrumentError(
                    f"{name}: begins as {encoding} text but byte {exc.start} does not fit; the file is damaged or cut."
                ) from None
    lowered = [w.lower() for w in words]
    for encoding in ENCODINGS:
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError:
            continue
        if not lowered or any(w in text.lower() for w in lowered):
            return text, encoding
    raise InstrumentError(
        f"{name}: none of the encodings UTF-8, GB18030, Shift-JIS, Latin-1 gives a text with the words this format "
        f"has ({', '.join(words[:6])}). Save it as UTF-8 and try again."
    )


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


def parse_number(text: str, decimal: str = ".") -> float:
    """A number with the given decimal mark; group separators are not accepted.

    Raises
    ------
    ValueError
        If it is not a plain finite number.
    """
    body = unicodedata.normalize("NFKC", text).strip().replace("\u2212", "-").replace("\u00a0", "")
    other = "," if decimal == "." else "."
    if other in body or not _NUMBER.match(body):
        raise ValueError(f"{text!r} is not a number with decimal mark {decimal!r}")
    number = float(body.replace(decimal, "."))
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a finite number")
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
        raise ValueError(f"{cell!r} is not a number")
    if isinstance(cell, int | float):
        number = float(cell)
        if math.isnan(number):
            return Cell(None, missing=True)
        if math.isinf(number):
            raise ValueError(f"{cell!r} is not a finite number")
        return Cell(number)
    text = unicodedata.normalize("NFKC", str(cell)).strip()
    low = text.lower()
    if low in _MISSING:
        return Cell(None, missing=True)
    if low in _NOT_DETECTED:
        return Cell(None, "below_detection")
    if low in ("tr", "tr.", "trace", "痕量", "微量"):
        return Cell(None, "trace")
    flag = ""
    if low[0] in "<≤":
        flag, text = "below_detection", text[1:].lstrip("= ").strip()
    elif low[0] in ">≥":
        flag, text = "above_range", text[1:].lstrip("= ").strip()
    match = re.match(r"^([+\-\u2212]?[\d.,]+(?:[eE][+-]?\d+)?)\s*(.*)$", text)
    if match is None:
        raise ValueError(f"{cell!r} is not a number")
    number = parse_number(match[1], decimal)
    unit = match[2].strip().rstrip("-").strip()
    if unit.lower() in ("ppm", "ppb"):
        unit = unit.lower()
    if unit and not re.fullmatch(r"[A-Za-zµμ°℃%/·^0-9.²³\-\s]{1,16}", unit):
        raise ValueError(f"{cell!r} is not a number with a unit")
    if flag == "below_detection":
        return Cell(None, flag, number, unit)
    return Cell(number, flag, None, unit)


def decimal_mark(samples: Sequence[str]) -> str:
    """The decimal mark used in a set of number texts: ``","`` only if commas occur and points never do.

    Raises
    ------
    ValueError
        If both occur as decimal marks (``"1,5"`` and ``"1.5"``): the meaning of each would be a guess.
    """
    comma = any(re.fullmatch(r"[+-]?\d+,\d+(?:[eE][+-]?\d+)?", s.strip()) for s in samples)
    point = any(re.fullmatch(r"[+-]?\d*\.\d+(?:[eE][+-]?\d+)?", s.strip()) for s in samples)
    if comma and point:
        raise ValueError("decimal commas and decimal points are mixed")
    return "," if comma else "."

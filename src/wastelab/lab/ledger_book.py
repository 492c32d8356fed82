"""The arithmetic of the waste account: what an entry is, how masses and dates are read, what may not be.

Masses are summed as whole grams, so that any order of adding gives the same answer to the last digit.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

from sqlalchemy import Connection, select

from ..chemistry import WASTE_CLASSES
from ..errors import LabError, UnitError, suggest
from ..instruments import vocabulary
from ..units import parse, parse_number
from . import schema as s
from .register import check_date

YARD_KINDS = ("heap", "shed", "silo", "tank", "laboratory")
KINDS = ("received", "transferred", "used", "returned", "disposed", "sold", "adjusted")
#: Which of (yard_from, yard_to) a kind has; "either" takes exactly one of the two.
YARDS = {
    "received": "to", "transferred": "both", "used": "from", "disposed": "from", "sold": "from",
    "returned": "either", "adjusted": "either",
}  # fmt: skip
#: Grams in a tonne: masses are summed as whole grams.
GRAM = 1_000_000
_MASS_UNITS = {
    "t": "t",
    "tonne": "t",
    "tonnes": "t",
    "kg": "kg",
    "g": "g",
    "吨": "t",
    "公斤": "kg",
    "千克": "kg",
    "克": "g",
}
_TIME = re.compile(r"^\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}(:\d{2})?)?$")
_IN_USE = "\0in use"


@dataclass(frozen=True, slots=True)
class Entry:
    """One movement as the sums see it.

    Attributes
    ----------
    id, batch : int
    kind, at : str
    grams : int
        Wet mass [g].
    dry : int or None
        Dry mass [g]; None where no moisture was recorded.
    frm, to : int or None
        Yards.
    sign : {1, -1}
        -1 for an entry that reverses another.
    reverses : int or None
    document : str
    """

    id: int
    batch: int
    kind: str
    at: str
    grams: int
    dry: int | None
    frm: int | None
    to: int | None
    sign: int
    reverses: int | None
    document: str

    @property
    def day(self) -> date:
        """Date of the entry."""
        return date.fromisoformat(self.at[:10])


def to_grams(mass_t: float) -> int:
    """Tonnes as whole grams."""
    return round(mass_t * GRAM)


def dry_grams(grams: int, moisture: float | None) -> int | None:
    """Dry mass [g] of a wet mass [g] with a moisture [wt% of the wet mass]."""
    if moisture is None:
        return None
    exact = grams * (100 - Decimal(repr(moisture))) / 100
    return int(exact.to_integral_value(ROUND_HALF_EVEN))


def load_entries(conn: Connection, batches: Iterable[int] | None = None) -> list[Entry]:
    """Movements in the order they were recorded, all or of some batches (internal keys)."""
    m = s.movement
    query = select(
        m.c.id, m.c.batch_id, m.c.kind, m.c.at, m.c.mass_t, m.c.moisture, m.c.yard_from_id, m.c.yard_to_id,
        m.c.reverses_id, m.c.document,
    ).order_by(m.c.id)  # fmt: skip
    if batches is not None:
        query = query.where(m.c.batch_id.in_(list(batches)))
    out = []
    for key, batch, kind, at, mass, moisture, frm, to, reverses, document in conn.execute(query):
        grams = to_grams(mass)
        sign = 1 if reverses is None else -1
        out.append(
            Entry(key, batch, kind, at, grams, dry_grams(grams, moisture), frm, to, sign, reverses, document)
        )  # fmt: skip
    return out


# -- reading what a person typed
def parse_mass(value: str | float, what: str = "mass", *, zero: bool = False) -> float:
    """A mass as tonnes, to the gram.

    Parameters
    ----------
    value : str or number
        ``"12.5 t"``, ``"12500 kg"``, ``"12.5 吨"``, or a number in tonnes.
    what : str
        Name for the error message.
    zero : bool
        Whether nothing at all is an answer.

    Raises
    ------
    LabError
        If it cannot be read, is not above zero, or carries a unit with two meanings (ton, mt).
    """
    if isinstance(value, str):
        try:
            number, typed = parse_number(value)
            if typed not in _MASS_UNITS:
                raise UnitError(
                    f"{what} = {value!r}: the unit {typed!r} is not one of t, kg, g, 吨, 公斤"
                    f"{' (a ton may be 907, 1000 or 1016 kg)' if typed.lower().startswith('ton') else ''}; "
                    f'write for example "{number:g} t".'
                )
            mass = parse(f"{number!r} {_MASS_UNITS[typed]}", "t", what=what)
        except UnitError as exc:
            raise LabError(str(exc)) from None
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise LabError(f'{what} = {value!r} is not a mass; write "12.5 t" or a number in tonnes.')
    else:
        mass = float(value)
    if not math.isfinite(mass) or mass > 1e9:
        raise LabError(f"{what} = {value!r} is not a mass that can be; expected tonnes below 1e9.")
    if to_grams(mass) < 0 or (to_grams(mass) == 0 and not zero):
        raise LabError(f"{what} = {value!r} is not above zero; the direction is in the kind of movement, not the sign.")
    return to_grams(mass) / GRAM


def parse_moisture(value: str | float | None, what: str = "moisture", *, water: bool = False) -> float | None:
    """Moisture [wt% of the wet mass], from ``"18.5 %"`` or a number; `water` allows 100, pure water."""
    if value is None or value == "":
        return None
    try:
        number = parse(value, "%", what=what) if isinstance(value, str) else float(value)
    except (UnitError, TypeError, ValueError) as exc:
        said = str(exc) if isinstance(exc, UnitError) else f"{what} = {value!r} is not a number."
        raise LabError(said) from None
    if not (0 <= number < 100 or (water and number == 100)):
        raise LabError(
            f"{what} = {value!r} is outside 0 to {'100' if water else 'below 100'} wt% of the wet mass "
            "(as dried at 105 degC, gypsum at 40 degC)."
        )
    return number + 0.0


def parse_at(value: str | date, what: str = "at", *, future: bool = False) -> str:
    """A day, or a local time to the second, as ISO text; unless `future`, not more than one day ahead."""
    text = value.isoformat() if isinstance(value, date | datetime) else str(value)
    text = text.strip().replace(" ", "T")
    if not _TIME.match(text):
        raise LabError(f"{what} = {text!r}: write the day, 2026-03-02, or the local time, 2026-03-02T14:05.")
    check_date(text, what)
    if not future and date.fromisoformat(text[:10]) > datetime.now(UTC).date() + timedelta(days=1):
        raise LabError(f"{what} = {text} lies in the future; the account records what has happened.")
    return text


def parse_class(value: str, what: str = "waste_class") -> str:
    """A waste class by name or Chinese name (``"赤泥"``)."""
    name = vocabulary.waste_class(value) or value
    if name not in WASTE_CLASSES:
        raise LabError(f"{what} = {value!r} is not one of {', '.join(WASTE_CLASSES)}.{suggest(value, WASTE_CLASSES)}")
    return name


# -- what may not be
def check_stock(conn: Connection, code: str, entries: Sequence[Entry], new: Entry) -> None:
    """Refuse a movement after which a yard would at any time hold less of the batch than nothing.

    A day without a time of day is read kindly: what comes in is there from its morning, what goes out leaves in the
    evening.

    Raises
    ------
    LabError
        Names batch, yard, date, what is there and what is missing.
    """
    everything = [*entries, new]
    at = {e.id: e.at for e in everything}
    pairs = {e.reverses for e in everything if e.reverses is not None and at.get(e.reverses) == e.at}
    live = [e for e in everything if e.id not in pairs and e.reverses not in pairs]
    legs: dict[int | str, list[tuple[str, int, int, Entry]]] = {}
    for e in live:
        places: list[tuple[int | str, int]] = []
        if e.frm is not None:
            places.append((e.frm, -e.grams))
        if e.to is not None:
            places.append((e.to, e.grams))
        if e.kind == "used":
            places.append((_IN_USE, e.grams))
        elif e.kind == "returned" and e.to is not None:
            places.append((_IN_USE, -e.grams))
        for place, change in places:
            change *= e.sign
            legs.setdefault(place, []).append((moment(e.at, change < 0), 0 if change > 0 else 1, change, e))
    for place, changes in legs.items():
        stock = 0
        for _, _, change, e in sorted(changes, key=lambda c: (c[0], c[1], c[3].id or math.inf)):
            if stock + change < 0:
                _refuse(conn, code, place, e, new, stock, -change)
            stock += change


def stock(entries: Iterable[Entry], yard: int | None, at: str) -> tuple[int, int | None]:
    """Wet and dry stock [g] of a yard at a moment, the whole of a day included; dry is None where it is not known."""
    wet, dry, known = 0, 0, True
    for e in entries:
        if yard not in (e.frm, e.to) or moment(e.at, False) > moment(at, True):
            continue
        sign = e.sign * (1 if e.to == yard else -1)
        wet += sign * e.grams
        known = known and e.dry is not None
        dry += sign * (e.dry or 0)
    return wet, dry if known else None


def moment(at: str, end: bool) -> str:
    """A day or time as text that sorts; a day without a time is its beginning or its `end`."""
    if len(at) == 10:
        return at + ("T99" if end else "T00:00:00")
    return at if len(at) == 19 else at + ":00"


def _refuse(conn: Connection, code: str, place: int | str, at: Entry, new: Entry, stock: int, wanted: int) -> None:
    paper = f" (document {at.document})" if at.document else ""
    if place == _IN_USE:
        raise LabError(
            f"batch {code!r}: on {at.at} {wanted / GRAM:g} t would come back from use, but by then only "
            f"{stock / GRAM:g} t of it were taken and not yet returned. Correct the mass, or record what was "
            "found as an adjustment."
        )
    yard = conn.execute(select(s.yard.c.code).where(s.yard.c.id == place)).scalar_one()
    there = f"batch {code!r}, yard {yard!r}: on {at.at} there are {stock / GRAM:g} t"
    if at is new or at.id == new.id:
        raise LabError(
            f"{there}, {wanted / GRAM:g} t cannot leave. Look with `wastelab ledger balance --by batch --by yard`; "
            "if the pile holds more than the book, take stock and record an adjustment."
        )
    raise LabError(
        f"{there} left after this entry of {new.at}, but {wanted / GRAM:g} t left then ({at.kind}{paper}): "
        f"{(wanted - stock) / GRAM:g} t would be missing. Correct mass or date, or reverse the later entry first."
    )

"""How long waste has been lying and how long it will: years of storage, age of the oldest, against a guide.

The guide is data (``datasets/vocabulary/ledger.toml``) with its source and evidence, which every answer repeats.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from ..errors import DatasetError, LabError
from ..provenance import Evidence, Source
from ..reference import find_files
from ..reference.files import read_toml
from .ledger_account import Book, Total, check_by, legs, read_book
from .ledger_book import Entry, parse_at
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

_DAYS_A_YEAR = 365.25
#: Shorter than this on record, a rate of use means nothing [d].
MIN_DAYS = 30
#: How long before the limit a stock is `due` [a].
_NOTICE = 0.5


@dataclass(frozen=True, slots=True)
class StorageGuide:
    """How long waste of some classes may lie [a], and how it is known."""

    years: float
    source: Source
    text_zh: str


@cache
def _guides() -> Mapping[str, StorageGuide]:
    out: dict[str, StorageGuide] = {}
    for file in find_files("datasets", "vocabulary/ledger.toml"):
        data = read_toml(file)
        try:
            for row in data["storage"]:
                source = Source(row["text"], Evidence(row["evidence"]))
                for name in row["classes"]:
                    out.setdefault(name, StorageGuide(float(row["years"]), source, row.get("text_zh", "")))
        except (KeyError, TypeError, ValueError) as exc:
            raise DatasetError(f"{file}, [[storage]]: {exc!r}; expected classes, years, text, evidence.") from None
    return out


def storage_guide(waste_class: str) -> StorageGuide | None:
    """How long waste of a class may lie, or None where nothing is known (bought materials)."""
    return _guides().get(waste_class)


def storage(
    store: Store, at: str | date | None, basis: Literal["wet", "dry"], by: Sequence[str], window_days: int
) -> pd.DataFrame:
    """Years of storage and the age of the oldest; see `ledger.Ledger.storage`."""
    import pandas as pd

    names = check_by(by)
    if basis not in ("wet", "dry"):
        raise LabError(f"basis = {basis!r} is not 'wet' or 'dry'.")
    if "waste_class" not in names:
        raise LabError("Storage is judged by waste class: put 'waste_class' among what is summed by.")
    day = date.fromisoformat((datetime.now(UTC).date().isoformat() if at is None else parse_at(at, future=True))[:10])
    with store.read() as conn:
        book = read_book(conn)
    past = [e for e in book.entries if e.day <= day]
    stock: dict[tuple[str, ...], Total] = {}
    used: dict[tuple[str, ...], Total] = {}
    first: dict[tuple[str, ...], date] = {}
    for entry in past:
        for group, flow, sign in legs(book, entry, names):
            stock.setdefault(group, Total()).add(entry, sign)
            first[group] = min(entry.day, first.get(group, entry.day))
            cell = used.setdefault(group, Total())
            if flow in ("used", "sold", "returned") and (day - entry.day).days < window_days:
                cell.add(entry, -sign)
    oldest = _oldest(book, past, names)
    rows = []
    for group in sorted(stock):
        days = min((day - first[group]).days + 1, window_days)
        total, gone = stock[group].tonnes(), used[group].tonnes()
        mass, taken = (total[0], gone[0]) if basis == "wet" else (total[1], gone[1])
        rate = taken * _DAYS_A_YEAR / days if days >= MIN_DAYS else float("nan")
        years = mass / rate if rate > 0 else float("nan")
        since = oldest.get(group)
        age = (day - since).days / _DAYS_A_YEAR if since is not None else float("nan")
        guide = storage_guide(group[names.index("waste_class")])
        limit = guide.years if guide is not None else float("nan")
        rows.append({
            **dict(zip(names, group, strict=True)), "stock_t": mass, "used_t": taken, "days": days,
            "rate_t_per_a": rate, "years": years, "oldest": since.isoformat() if since else "",
            "age_a": age, "limit_a": limit,
            "status": _status(total[0], years, age, limit), "evidence": str(guide.source.evidence) if guide else "",
            "source": guide.source.text if guide else "",
        })  # fmt: skip
    columns = [*names, "stock_t", "used_t", "days", "rate_t_per_a", "years", "oldest", "age_a", "limit_a", "status",
               "evidence", "source"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    frame.attrs |= {"at": day.isoformat(), "basis": basis, "window_days": window_days}
    return frame


def _status(wet: float, years: float, age: float, limit: float) -> str:
    if wet == 0:
        return "ok"
    if limit != limit:
        return "unknown"
    if age > limit:
        return "over"
    if age > limit - _NOTICE or years > limit:
        return "due"
    return "ok" if years == years else "unknown"


def _oldest(book: Book, past: Sequence[Entry], by: Sequence[str]) -> dict[tuple[str, ...], date]:
    """Day of receipt of the oldest mass still there, first in first out within batch and yard.

    A transfer keeps its days. What comes back from use, or is found, counts from the first receipt of its batch.
    """
    at = {e.id: e.at for e in past}
    undone = {e.reverses for e in past if e.reverses is not None and at.get(e.reverses) == e.at}
    live = [e for e in past if e.id not in undone and e.reverses not in undone]
    piles: dict[tuple[int, int], list[list[Any]]] = {}
    debts: dict[tuple[int, int], int] = {}
    start: dict[int, date] = {}
    for e in live:
        if e.kind == "received" and e.sign > 0:
            start[e.batch] = min(e.day, start.get(e.batch, e.day))

    def take(place: tuple[int, int], grams: int, day: date) -> list[list[Any]]:
        pile, out = piles.setdefault(place, []), []
        while grams and pile:
            part = min(grams, pile[0][1])
            out.append([pile[0][0], part])
            pile[0][1] -= part
            grams -= part
            if not pile[0][1]:
                pile.pop(0)
        if grams:  # put in later the same day
            debts[place] = debts.get(place, 0) + grams
            out.append([day, grams])
        return out

    def put(place: tuple[int, int], lots: Iterable[Sequence[Any]]) -> None:
        pile = piles.setdefault(place, [])
        for day, grams in lots:
            paid = min(grams, debts.get(place, 0))
            if paid:
                debts[place] -= paid
            if grams - paid:
                pile.append([day, grams - paid])
        pile.sort(key=lambda lot: lot[0])

    for e in sorted(live, key=lambda e: (e.day, _rank(e), e.id)):
        frm, to = (e.frm, e.to) if e.sign > 0 else (e.to, e.frm)
        lots: Iterable[Sequence[Any]] = [[e.day if e.kind == "received" else start.get(e.batch, e.day), e.grams]]
        if frm is not None:
            lots = take((e.batch, frm), e.grams, start.get(e.batch, e.day))
        if to is not None:
            put((e.batch, to), lots)
    out: dict[tuple[str, ...], date] = {}
    for (batch, yard), pile in piles.items():
        if pile:
            row = book.batches[batch]
            group = tuple(str(book.yards[yard]["code"] if n == "yard" else row[n]) for n in by)
            out[group] = min(pile[0][0], out.get(group, pile[0][0]))
    return out


def _rank(entry: Entry) -> int:
    """Within one day: what comes in, then transfers, then what goes out."""
    if entry.kind == "transferred":
        return 1
    return 0 if (entry.to is not None) == (entry.sign > 0) else 2

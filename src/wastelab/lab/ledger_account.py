"""Reading the waste account: entries, balance, monthly account.

Masses are summed as whole grams, so a balance is exactly the sum of its entries; tables show tonnes. A dry mass is
missing (NaN), never guessed, wherever an entry that it needs has no moisture.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, select

from ..errors import LabError, suggest
from . import schema as s
from .ledger_book import GRAM, KINDS, Entry, dry_grams, load_entries, moment, parse_at, parse_class, to_grams
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

#: What a balance can be taken by.
GROUPS = ("waste_class", "waste_code", "yard", "batch", "source", "producer")
#: Columns of the monthly account between opening and closing stock, with their sign.
FLOWS = {
    "received": 1, "returned": 1, "transferred_in": 1, "adjusted_up": 1, "used": -1, "sold": -1, "disposed": -1,
    "sent_back": -1, "transferred_out": -1, "adjusted_down": -1,
}  # fmt: skip


@dataclass(frozen=True)
class Book:
    """Everything the sums need, read in one state of the catalogue."""

    entries: Sequence[Entry]
    batches: Mapping[int, Mapping[str, Any]]
    yards: Mapping[int, Mapping[str, Any]]


def read_book(conn: Connection) -> Book:
    """All entries, batches and yards."""
    b = s.batch
    rows = conn.execute(
        select(b, s.source.c.code.label("source")).outerjoin(s.source, s.source.c.id == b.c.source_id)
    ).mappings()  # fmt: skip
    batches = {r["id"]: {**r, "batch": r["code"], "source": r["source"] or ""} for r in rows}
    yards = {r["id"]: dict(r) for r in conn.execute(select(s.yard)).mappings()}
    return Book(load_entries(conn), batches, yards)


# -- entries
def entries(store: Store, **where: Any) -> pd.DataFrame:
    """Movements as a table; see `ledger.Ledger.entries`."""
    import pandas as pd

    known = ("kind", "batch", "waste_class", "yard", "since", "until", "document", "counterparty", "mix", "reversed")
    for name in where:
        if name not in known:
            raise LabError(f"{name!r} is no filter.{suggest(name, known)} Filters: {', '.join(known)}.")
    m, b = s.movement, s.batch
    frm, to, other, back = s.yard.alias(), s.yard.alias(), m.alias(), m.alias()
    query = (
        select(
            m.c.uid, m.c.at, m.c.kind, b.c.code.label("batch"), b.c.waste_class, b.c.waste_code, m.c.mass_t,
            m.c.mass_sigma_t, m.c.moisture, frm.c.code.label("yard_from"), to.c.code.label("yard_to"),
            s.mix.c.code.label("mix"), s.specimen.c.code.label("specimen"), m.c.product, m.c.product_quantity,
            m.c.product_unit, m.c.counterparty, m.c.document, m.c.operator, m.c.reason, m.c.note,
            other.c.uid.label("reverses"), back.c.uid.label("reversed_by"), m.c.created_at,
        )
        .join(b, b.c.id == m.c.batch_id)
        .outerjoin(frm, frm.c.id == m.c.yard_from_id).outerjoin(to, to.c.id == m.c.yard_to_id)
        .outerjoin(s.mix, s.mix.c.id == m.c.mix_id).outerjoin(s.specimen, s.specimen.c.id == m.c.specimen_id)
        .outerjoin(other, other.c.id == m.c.reverses_id).outerjoin(back, back.c.reverses_id == m.c.id)
        .order_by(m.c.at, m.c.id)
    )  # fmt: skip
    for name, column in (("batch", b.c.code), ("document", m.c.document), ("counterparty", m.c.counterparty),
                         ("mix", s.mix.c.code)):  # fmt: skip
        if where.get(name) is not None:
            query = query.where(column == where[name])
    if where.get("kind") is not None:
        kinds = [where["kind"]] if isinstance(where["kind"], str) else list(where["kind"])
        for kind in kinds:
            if kind not in KINDS:
                raise LabError(f"{kind!r} is no kind of movement.{suggest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
        query = query.where(m.c.kind.in_(kinds))
    if where.get("waste_class") is not None:
        query = query.where(b.c.waste_class == parse_class(where["waste_class"]))
    if where.get("yard") is not None:
        query = query.where((frm.c.code == where["yard"]) | (to.c.code == where["yard"]))
    if where.get("since") is not None:
        query = query.where(m.c.at >= _day(where["since"], "since"))
    if where.get("until") is not None:
        query = query.where(m.c.at < _day(where["until"], "until") + "T99")
    if where.get("reversed") is False:
        query = query.where(m.c.reverses_id.is_(None) & back.c.uid.is_(None))
    with store.read() as conn:
        frame = pd.DataFrame(conn.execute(query).mappings().all(), columns=[c.name for c in query.selected_columns])
    for name in ("mass_t", "mass_sigma_t", "moisture", "product_quantity"):
        frame[name] = pd.to_numeric(frame[name]).astype(float)
    for name in ("yard_from", "yard_to", "mix", "specimen", "reverses", "reversed_by"):
        frame[name] = frame[name].astype(object).fillna("").astype(str)
    dry = [
        None if moisture != moisture else dry_grams(to_grams(mass), moisture)
        for mass, moisture in zip(frame["mass_t"], frame["moisture"], strict=True)
    ]
    sign = frame["reverses"].eq("").map({True: 1.0, False: -1.0})
    frame["mass_t"] *= sign
    dry_t = pd.Series([float("nan") if g is None else g / GRAM for g in dry], index=frame.index, dtype=float) * sign
    frame.insert(list(frame.columns).index("moisture") + 1, "dry_t", dry_t)
    return frame


def _day(value: str | date, what: str) -> str:
    text = value.isoformat()[:10] if isinstance(value, date) else str(value).strip()
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise LabError(f"{what} = {text!r} is no day; write 2026-03-02.") from None


# -- balance
@dataclass
class Total:
    """Wet and dry grams; how many entries that count had no moisture."""

    wet: int = 0
    dry: int = 0
    without: int = 0

    def add(self, entry: Entry, sign: int) -> None:
        self.wet += sign * entry.grams
        self.dry += sign * (entry.dry or 0)
        self.without += entry.sign * (entry.dry is None)  # a reversal takes its doubt along

    def tonnes(self) -> tuple[float, float]:
        """Wet and dry mass [t]."""
        return self.wet / GRAM, float("nan") if self.without else self.dry / GRAM


def check_by(by: Sequence[str]) -> tuple[str, ...]:
    names = (by,) if isinstance(by, str) else tuple(by)
    if not names:
        raise LabError(f"Say what to sum by: {', '.join(GROUPS)}.")
    for name in names:
        if name not in GROUPS:
            raise LabError(f"{name!r} is nothing to sum by.{suggest(name, GROUPS)} Possible: {', '.join(GROUPS)}.")
    return names


def legs(book: Book, entry: Entry, by: Sequence[str]) -> Iterable[tuple[tuple[str, ...], str, int]]:
    """(group, flow, sign) of an entry; a transfer that stays inside its group is none."""
    batch = book.batches[entry.batch]

    def group(yard: int | None) -> tuple[str, ...]:
        return tuple(str(book.yards[yard]["code"] if n == "yard" else batch[n]) for n in by)  # type: ignore[index]

    if entry.kind == "transferred":
        if group(entry.frm) != group(entry.to):
            yield group(entry.frm), "transferred_out", -entry.sign
            yield group(entry.to), "transferred_in", entry.sign
        return
    inward = entry.to is not None
    flow = {
        ("returned", False): "sent_back", ("adjusted", True): "adjusted_up", ("adjusted", False): "adjusted_down",
    }.get((entry.kind, inward), entry.kind)  # fmt: skip
    yield group(entry.to if inward else entry.frm), flow, entry.sign * (1 if inward else -1)


def balance(store: Store, at: str | date | None, by: Sequence[str]) -> pd.DataFrame:
    """Mass in, out and in stock; see `ledger.Ledger.balance`."""
    import pandas as pd

    names = check_by(by)
    until = moment(_newest_day() if at is None else parse_at(at, future=True), True)
    with store.read() as conn:
        book = read_book(conn)
    sums: dict[tuple[str, ...], dict[str, Total]] = {}
    counts: dict[tuple[str, ...], int] = {}
    for entry in book.entries:
        if moment(entry.at, False) > until:
            continue
        for group, flow, sign in legs(book, entry, names):
            cell = sums.setdefault(group, {k: Total() for k in ("in", "out", "stock")})
            side = FLOWS[flow]
            cell["in" if side > 0 else "out"].add(entry, sign * side)
            cell["stock"].add(entry, sign)
            counts[group] = counts.get(group, 0) + 1
    rows = []
    for group in sorted(sums):
        row: dict[str, Any] = dict(zip(names, group, strict=True))
        for key, total in sums[group].items():
            row[f"{key}_wet_t"], row[f"{key}_dry_t"] = total.tonnes()
        row["entries"] = counts[group]
        row["without_moisture"] = sums[group]["stock"].without
        rows.append(row)
    columns = [*names, *(f"{k}_{m}_t" for k in ("in", "out", "stock") for m in ("wet", "dry")), "entries",
               "without_moisture"]  # fmt: skip
    frame = pd.DataFrame(rows, columns=columns)
    frame.attrs["at"] = until.removesuffix("T99")
    return frame


def _newest_day() -> str:
    """Tomorrow's date in UTC: the last day an entry can have."""
    return (datetime.now(UTC).date() + timedelta(days=1)).isoformat()


# -- monthly account
def monthly(store: Store, since: str | None, until: str | None, by: Sequence[str]) -> pd.DataFrame:
    """The monthly account; see `ledger.Ledger.monthly`."""
    import pandas as pd

    names = check_by(by)
    with store.read() as conn:
        book = read_book(conn)
    cells: dict[tuple[str, ...], dict[str, dict[str, Total]]] = {}
    for entry in book.entries:
        for group, flow, sign in legs(book, entry, names):
            cell = cells.setdefault(group, {}).setdefault(entry.at[:7], {k: Total() for k in FLOWS})
            cell[flow].add(entry, sign * FLOWS[flow])
    used = [month for group in cells.values() for month in group]
    start = _month(since, "since") if since else min(used, default="")
    end = _month(until, "until") if until else max(used, default="")
    rows = []
    for group, months in sorted(cells.items()):
        stock = Total()
        for month in _months(min(min(months), start), end):
            opening = Total(stock.wet, stock.dry, stock.without)
            flows = months.get(month, {})
            for name, total in flows.items():
                stock.wet += FLOWS[name] * total.wet
                stock.dry += FLOWS[name] * total.dry
                stock.without += total.without
            if month < start or (month < min(months)):
                continue
            row: dict[str, Any] = {"month": month, **dict(zip(names, group, strict=True))}
            row["opening_wet_t"], row["opening_dry_t"] = opening.tonnes()
            for name in FLOWS:
                row[f"{name}_wet_t"], row[f"{name}_dry_t"] = flows.get(name, Total()).tonnes()
            row["closing_wet_t"], row["closing_dry_t"] = stock.tonnes()
            rows.append(row)
    masses = [f"{k}_{m}_t" for k in ("opening", *FLOWS, "closing") for m in ("wet", "dry")]
    if "yard" not in names:  # no transfer crosses a group
        masses = [c for c in masses if not c.startswith("transferred")]
    frame = pd.DataFrame(rows, columns=["month", *names, *masses])
    return frame.sort_values(["month", *names], ignore_index=True)


def _month(text: str, what: str) -> str:
    return _day(f"{text}-01" if len(text) == 7 else text, what)[:7]


def _months(first: str, last: str) -> Iterable[str]:
    if not first or not last:
        return
    year, month = int(first[:4]), int(first[5:7])
    while (text := f"{year:04d}-{month:02d}") <= last:
        yield text
        year, month = (year, month + 1) if month < 12 else (year + 1, 1)


def uses(store: Store) -> pd.DataFrame:
    """What was used, sold and disposed of, by month, class, way, product and counterparty [t].

    Returns
    -------
    pandas.DataFrame
        Columns ``month``, ``waste_class``, ``kind``, ``product``, ``counterparty``, ``wet_t``, ``dry_t``,
        ``product_quantity``, ``product_unit``; reversed entries cancel.
    """
    import pandas as pd

    m, b = s.movement, s.batch
    query = (
        select(m.c.at, b.c.waste_class, m.c.kind, m.c.product, m.c.counterparty, m.c.product_unit, m.c.mass_t,
               m.c.moisture, m.c.product_quantity, m.c.reverses_id)
        .join(b, b.c.id == m.c.batch_id).where(m.c.kind.in_(("used", "sold", "disposed")))
    )  # fmt: skip
    sums: dict[tuple[str, ...], tuple[Total, list[float]]] = {}
    with store.read() as conn:
        for at, waste_class, kind, product, party, unit, mass, moisture, amount, reverses in conn.execute(query):
            total, made = sums.setdefault((at[:7], waste_class, kind, product, party, unit), (Total(), []))
            grams, sign = to_grams(mass), 1 if reverses is None else -1
            total.wet += sign * grams
            dry = dry_grams(grams, moisture)
            total.dry += sign * (dry or 0)
            total.without += sign * (dry is None)
            if amount is not None:
                made.append(sign * amount)
    columns = ["month", "waste_class", "kind", "product", "counterparty", "product_unit"]
    rows = []
    for key, (total, made) in sorted(sums.items()):
        if total.wet:
            wet, dry_t = total.tonnes()
            amount = sum(made) if made else float("nan")
            rows.append((*key[:5], wet, dry_t, amount, key[5]))
    return pd.DataFrame(rows, columns=[*columns[:5], "wet_t", "dry_t", "product_quantity", "product_unit"])

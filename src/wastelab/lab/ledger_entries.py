"""Writing into the waste account: yards, batches, movements, reversals, stock-takings.

Nothing is ever edited: a wrong entry is reversed by a second one and recorded again. Every entry is checked, inside
the transaction that writes it, against all entries of its batch, earlier and later ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from sqlalchemy import Connection, select

from ..errors import LabError, UnitError, suggest
from ..units import parse_number
from . import schema as s
from .entities import load
from .ledger_book import (
    GRAM,
    KINDS,
    YARD_KINDS,
    YARDS,
    Entry,
    check_stock,
    dry_grams,
    load_entries,
    moment,
    parse_at,
    parse_class,
    parse_mass,
    parse_moisture,
    stock,
    to_grams,
)  # fmt: skip
from .register import prepare
from .store import Act, Store, uuid7


# -- yards and batches
def add_yard(store: Store, code: str, fields: Mapping[str, Any]) -> str:
    """Register a yard; returns its uid. See `ledger.Ledger.add_yard`."""
    kind = fields.get("kind", "heap")
    if kind not in YARD_KINDS:
        raise LabError(
            f"yard {code!r}: kind = {kind!r} is not one of {', '.join(YARD_KINDS)}.{suggest(str(kind), YARD_KINDS)}"
        )
    body = dict(fields)
    if body.get("capacity_t") is not None:
        body["capacity_t"] = parse_mass(body["capacity_t"], f"yard {code!r}: capacity_t")
    with store.write("ledger yard") as act:
        record = prepare(act, "yard", {"code": code, **body})
        act.insert("yard", record)
    return str(record["uid"])


def add_batch(
    store: Store, code: str, waste_class: str, received_at: str | date, fields: Mapping[str, Any],
    samples: Sequence[str], first: Mapping[str, Any] | None,
) -> str:  # fmt: skip
    """Register a batch with its samples and, if `first` is given, its first receipt, as one act; returns its uid."""
    body = {
        "code": code,
        "waste_class": parse_class(waste_class, f"batch {code!r}: waste_class"),
        "received_at": parse_at(received_at, f"batch {code!r}: received_at"),
        **fields,
    }
    with store.write("ledger batch") as act:
        record = prepare(act, "batch", body)
        act.insert("batch", record)
        _link(act, record["uid"], code, samples)
        if first is not None:
            insert_move(act, "received", code, {"at": body["received_at"], **first})
    return str(record["uid"])


def link(store: Store, batch: str, samples: Sequence[str], note: str = "") -> None:
    """Say that samples were taken from a batch."""
    with store.write("ledger link") as act:
        _link(act, act.uid("batch", batch), batch, samples, note)


def _link(act: Act, batch: str, code: str, samples: Sequence[str], note: str = "") -> None:
    table = s.batch_sample
    taken = select(s.sample.c.uid).select_from(table.join(s.batch).join(s.sample)).where(s.batch.c.uid == batch)
    known = {row[0] for row in act.conn.execute(taken)}
    for label in samples:
        uid = act.uid("sample", label)
        if uid in known:
            raise LabError(f"batch {code!r}: sample {label!r} is linked with it already.")
        known.add(uid)
        act.insert("batch_sample", {"batch": batch, "sample": uid, "note": note})


# -- movements
def move(store: Store, kind: str, batch: str, fields: Mapping[str, Any]) -> str:
    """Record one movement; returns its uid. See `ledger.Ledger.move`."""
    with store.write(f"ledger {kind}") as act:
        return insert_move(act, kind, batch, fields)


def insert_move(act: Act, kind: str, batch: str, fields: Mapping[str, Any]) -> str:
    """Check and insert one movement inside an act; returns its uid."""
    if kind not in KINDS:
        raise LabError(f"{kind!r} is no kind of movement.{suggest(kind, KINDS)} Kinds: {', '.join(KINDS)}.")
    what = f"{kind} of batch {batch!r}"
    given = {k: v for k, v in fields.items() if v is not None and v != ""}
    row = _batch(act.conn, act.uid("batch", batch))
    at = parse_at(given.pop("at", ""), f"{what}: at")
    mass = parse_mass(given.pop("mass", ""), f"{what}: mass")
    record: dict[str, Any] = {
        "uid": uuid7(), "batch": row["uid"], "kind": kind, "at": at, "mass_t": mass,
        "moisture": parse_moisture(given.pop("moisture", None), f"{what}: moisture", water=kind == "adjusted"),
    }  # fmt: skip
    if "mass_sigma" in given:
        record["mass_sigma_t"] = parse_mass(given.pop("mass_sigma"), f"{what}: mass_sigma")
    _yards(act, kind, row, given, record, what)
    for name in ("mix", "specimen"):
        if name in given:
            record[name] = act.uid(name, str(given.pop(name)))
    if "product_quantity" in given:
        record["product_quantity"], record["product_unit"] = _quantity(given.pop("product_quantity"), what)
    for name in ("product", "counterparty", "document", "operator", "reason", "note"):
        record[name] = str(given.pop(name, "")).strip()
    if given:
        raise LabError(f"{what}: unknown field {next(iter(given))!r}.")
    if kind == "used" and record.get("product_quantity") is not None and not record["product"]:
        raise LabError(f"{what}: product_quantity without a product; say what was made.")
    if kind != "used" and any(record.get(k) for k in ("mix", "specimen", "product")):
        raise LabError(f"{what}: mix, specimen and product belong to a movement of kind used.")
    if kind == "adjusted" and not record["reason"]:
        raise LabError(f"{what}: an adjustment needs a reason.")
    if moment(at, True) < moment(row["received_at"], False):
        raise LabError(f"{what}: {at} is before the batch was received ({row['received_at']}).")
    _refuse_twice(act.conn, row["id"], record, what)
    keys = {n: _yard_key(act.conn, record.get(n)) for n in ("yard_from", "yard_to")}
    grams = to_grams(mass)
    new = Entry(
        0, row["id"], kind, at, grams, dry_grams(grams, record["moisture"]), keys["yard_from"], keys["yard_to"], 1,
        None, record["document"],
    )  # fmt: skip
    check_stock(act.conn, str(row["code"]), load_entries(act.conn, [row["id"]]), new)
    act.insert("movement", record)
    return str(record["uid"])


def _batch(conn: Connection, uid: str) -> Mapping[str, Any]:
    b, y = s.batch, s.yard
    query = select(b, y.c.uid.label("yard_uid")).outerjoin(y, y.c.id == b.c.yard_id).where(b.c.uid == uid)
    return dict(conn.execute(query).mappings().one())


def _yards(
    act: Act, kind: str, batch: Mapping[str, Any], given: dict[str, Any], record: dict[str, Any], what: str
) -> None:
    """Fill in ``yard_from`` and ``yard_to``; the batch's own yard where one is needed and none is said."""
    frm, to, need = given.pop("yard_from", None), given.pop("yard_to", None), YARDS[kind]
    home = batch["yard_uid"]
    if need == "to":
        to = to or home
    elif need in ("from", "both"):
        frm = frm or home
    if (need in ("to", "both") and not to) or (need in ("from", "both") and not frm):
        side = "yard_to" if not to and need != "from" else "yard_from"
        raise LabError(f"{what}: {side} is missing; say which yard, or give the batch one.")
    if (need == "to" and frm) or (need == "from" and to):
        raise LabError(f"{what}: a movement of this kind has no {'yard_from' if need == 'to' else 'yard_to'}.")
    if need == "either" and bool(frm) == bool(to):
        raise LabError(f"{what}: give yard_to (into the stock) or yard_from (out of it), one of the two.")
    for name, value in (("yard_from", frm), ("yard_to", to)):
        record[name] = act.uid("yard", str(value)) if value else None
    if record["yard_from"] and record["yard_from"] == record["yard_to"]:
        raise LabError(f"{what}: yard_from and yard_to are the same yard.")


def _yard_key(conn: Connection, uid: str | None) -> int | None:
    return None if uid is None else int(conn.execute(select(s.yard.c.id).where(s.yard.c.uid == uid)).scalar_one())


def _quantity(value: Any, what: str) -> tuple[float, str]:
    """A quantity of product: ``"1200 m3"``, ``"36000 blocks"``."""
    try:
        number, unit = parse_number(str(value))
    except UnitError as exc:
        raise LabError(f"{what}: product_quantity: {exc}") from None
    if not unit or number <= 0 or not math.isfinite(number):
        raise LabError(f'{what}: product_quantity = {value!r}: expected an amount with its unit, e.g. "1200 m3".')
    return number, unit


def _refuse_twice(conn: Connection, batch: int, record: Mapping[str, Any], what: str) -> None:
    """The same ticket typed in twice is the commonest error of an account."""
    if not record["document"]:
        return
    m = s.movement
    undone = select(m.c.reverses_id).where(m.c.reverses_id.is_not(None))
    same = conn.execute(
        select(m.c.uid).where(
            (m.c.batch_id == batch) & (m.c.kind == record["kind"]) & (m.c.document == record["document"])
            & (m.c.at == record["at"]) & (m.c.mass_t == record["mass_t"]) & m.c.reverses_id.is_(None)
            & m.c.id.not_in(undone)
        )
    ).first()  # fmt: skip
    if same is not None:
        raise LabError(
            f"{what}: document {record['document']!r} of {record['at']} with {record['mass_t']:g} t is recorded "
            f"already ({same[0]})."
        )


def reverse(store: Store, uid: str, reason: str, at: str | date | None = None, operator: str = "") -> str:
    """Undo a movement by an entry that counts against it; returns the uid of that entry.

    See `ledger.Ledger.reverse`.
    """
    if not reason.strip():
        raise LabError("A reversal needs a reason; it is kept in the account.")
    with store.write("ledger reverse", reason=reason) as act:
        m = s.movement
        row = act.conn.execute(select(m).where(m.c.uid == uid)).mappings().first()
        if row is None:
            raise LabError(f"There is no movement {uid!r}; `wastelab ledger entries` lists them with their uid.")
        if row["reverses_id"] is not None:
            raise LabError(f"Movement {uid} is itself a reversal; record the movement again instead.")
        done = act.conn.execute(select(m.c.uid).where(m.c.reverses_id == row["id"])).scalar()
        if done is not None:
            raise LabError(f"Movement {uid} is reversed already, by {done}.")
        when = row["at"] if at is None else parse_at(at, f"reversal of {uid}: at")
        if moment(when, True) < moment(row["at"], False):
            raise LabError(f"reversal of {uid}: {when} is before the movement itself ({row['at']}).")
        old = load(act.conn, "movement", [row["id"]])[row["id"]]
        record = {
            **old, "uid": uuid7(), "at": when, "reason": reason.strip(), "operator": operator, "reverses": uid,
            "created_at": None, "note": "",
        }  # fmt: skip
        entries = load_entries(act.conn, [row["batch_id"]])
        first = next(e for e in entries if e.id == row["id"])
        new = Entry(
            0, first.batch, first.kind, when, first.grams, first.dry, first.frm, first.to, -1, first.id, first.document
        )
        code = act.conn.execute(select(s.batch.c.code).where(s.batch.c.id == row["batch_id"])).scalar_one()
        check_stock(act.conn, str(code), entries, new)
        act.insert("movement", record)
    return str(record["uid"])


# -- stock-taking
def reconcile(
    store: Store, yard: str, measured_mass_t: str | float, at: str | date, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Record a stock-taking beside the book; see `ledger.Ledger.reconciliation`."""
    what = f"stock-taking of yard {yard!r}"
    given = {k: v for k, v in fields.items() if v is not None and v != ""}
    measured = parse_mass(measured_mass_t, f"{what}: measured mass", zero=True)
    when = parse_at(at, f"{what}: at")
    waste_class = parse_class(given.pop("waste_class"), f"{what}: waste_class") if "waste_class" in given else ""
    moisture = parse_moisture(given.pop("moisture", None), f"{what}: moisture")
    sigma = parse_mass(given.pop("mass_sigma"), f"{what}: mass_sigma") if "mass_sigma" in given else None
    with store.write("ledger stocktake") as act:
        record: dict[str, Any] = {
            "uid": uuid7(), "yard": act.uid("yard", yard), "waste_class": waste_class, "at": when,
            "measured_t": measured, "measured_sigma_t": sigma, "moisture": moisture,
        }  # fmt: skip
        for name in ("method", "document", "operator", "note"):
            record[name] = str(given.pop(name, "")).strip()
        if given:
            raise LabError(f"{what}: unknown field {next(iter(given))!r}.")
        key = _yard_key(act.conn, record["yard"])
        classes = {r[0]: r[1] for r in act.conn.execute(select(s.batch.c.id, s.batch.c.waste_class))}
        counted = [e for e in load_entries(act.conn) if not waste_class or classes[e.batch] == waste_class]
        wet, dry = stock(counted, key, when)
        record["book_t"] = wet / GRAM
        record["book_dry_t"] = None if dry is None else dry / GRAM
        act.insert("stocktake", record)
    error = to_grams(measured) - wet
    dry_error = None
    if dry is not None and moisture is not None:
        dry_error = ((dry_grams(to_grams(measured), moisture) or 0) - dry) / GRAM
    return {
        "uid": record["uid"], "yard": yard, "waste_class": waste_class, "at": when, "book_t": record["book_t"],
        "measured_t": measured, "error_t": error / GRAM, "error_percent": 100.0 * error / wet if wet else None,
        "book_dry_t": record["book_dry_t"], "error_dry_t": dry_error,
    }  # fmt: skip

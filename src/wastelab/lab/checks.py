"""The single checks of `verify`. Each reads in pages or streams, so memory does not grow with the laboratory."""

from __future__ import annotations

import hashlib
import json
import re
import warnings
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Column, Connection, Table, and_, exists, func, select

from ..errors import IntegrityError
from . import schema as s
from .audit import GENESIS, raw_digest
from .curves import decode
from .entities import ENTITIES, Entity, canonical, digest, load
from .files import FileStore, sha256
from .store import GUARDS, Store, search_text_of

if TYPE_CHECKING:
    from .verify import Report

_PAGE = 2000
_HEX = re.compile(r"[0-9a-f]+")
#: What a catalogue says of itself; the first audit event has the digest of it.
FACTS = ("uid", "name", "created_at")
#: What is recorded of a raw file last, and the state it must then be in.
RAW_STATES = {"insert": 0, "import": 0, "release": 0, "quarantine": 1, "absent": 2}


def database(store: Store, conn: Connection, report: Report) -> None:
    """The database's own checks."""
    if store.dialect != "sqlite":
        return
    pragma = "integrity_check" if report.deep else "quick_check"
    for row in conn.exec_driver_sql(f"PRAGMA {pragma}(50)"):
        if row[0] != "ok":
            report.add("database", said=str(row[0]).splitlines()[0])
    for row in conn.exec_driver_sql("PRAGMA foreign_key_check"):
        report.add("reference", table=row[0], column=f"→ {row[2]}", number=1)


def schema(store: Store, conn: Connection, report: Report) -> None:
    """Schema version, and tables as this version of wastelab declares them."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from .migrate import version

    found = version(conn)
    if found != s.HEAD:
        report.add("schema_version", found=found, expected=s.HEAD)
        return
    context = MigrationContext.configure(conn, opts={"compare_type": True})
    with warnings.catch_warnings(record=True) as said:  # of tables whose definition cannot be understood
        warnings.simplefilter("always")
        differences = compare_metadata(context, s.metadata)
    for text in [*(str(w.message) for w in said), *map(_describe, differences), *_hooks(store, conn)]:
        report.add("schema", difference=text)


def _hooks(store: Store, conn: Connection) -> list[str]:
    """Triggers, views and rules: wastelab makes none, and one could change what is written."""
    here = "= current_schema()"
    query = "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"
    if store.dialect != "sqlite":
        query = (
            "SELECT 'trigger', t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid "
            f"JOIN pg_namespace n ON n.oid = c.relnamespace WHERE NOT t.tgisinternal AND n.nspname {here} "
            f"UNION ALL SELECT 'view', viewname FROM pg_views WHERE schemaname {here} "
            f"UNION ALL SELECT 'view', matviewname FROM pg_matviews WHERE schemaname {here} "
            f"UNION ALL SELECT 'rule', rulename FROM pg_rules WHERE schemaname {here}"
        )
    return sorted(f"{row[0]} {row[1]}" for row in conn.exec_driver_sql(query))


def _describe(difference: Any) -> str:
    first = difference[0] if isinstance(difference, list) and difference else difference
    parts = [getattr(p, "name", None) or (p if isinstance(p, str) else "") for p in first]
    return " ".join(str(p) for p in parts if p)


def settings(store: Store, conn: Connection, report: Report) -> None:
    """``lab.toml`` against the catalogue, and what the catalogue says of itself against its first audit event."""
    from .lab import read_settings

    if not (store.root / "lab.toml").is_file():
        report.add("settings", key="lab.toml", found="", expected="lab.toml")
        _facts(store, conn, report)
        return
    said = read_settings(store.root)
    facts = store.meta(conn)
    for key in ("uid", "name"):
        if facts.get(key) != said[key]:
            report.add("settings", key=key, found=said[key], expected=facts.get(key, ""))
    if said["curves"] != store.curves.name:
        report.add("settings", key="curves", found=said["curves"], expected=store.curves.name)
    if all(facts.get(key) == said[key] for key in ("uid", "name")):
        _facts(store, conn, report)


def _facts(store: Store, conn: Connection, report: Report) -> None:
    known = store.meta(conn)
    for key in sorted(known.keys() - set(FACTS) - set(GUARDS)):
        report.add("meta_extra", key=key)
    item = s.audit_item
    query = select(item.c.digest).where((item.c.entity == "lab") & (item.c.change == "insert")).order_by(item.c.seq)
    first = conn.execute(query.limit(1)).scalar()
    if first is not None and first != digest({key: known.get(key) for key in FACTS}):
        report.add("meta", keys=", ".join(FACTS))


def chain(conn: Connection, report: Report, expect: str | None) -> None:
    """Hash, number, time and predecessor of every event, from the first one on."""
    item = s.audit_item
    wanted = None if expect is None else expect.strip().lower()
    query = select(item.c.seq, item.c.ordinal, item.c.entity, item.c.uid, item.c.change, item.c.digest, item.c.detail)
    query = query.order_by(item.c.seq, item.c.ordinal)
    items = iter(conn.execute(query, execution_options={"yield_per": _PAGE}))
    pending = next(items, None)
    expected, last, prev, found = 1, "", GENESIS, wanted is None
    for row in _events(conn):
        seq = row[0]
        if seq != expected:
            report.add("chain_gap", found=seq, expected=expected)
        if row[1] < last:
            report.add("chain_time", seq=seq, at=row[1])
        if row[6] != prev and seq == expected:
            report.add("chain_link", seq=seq, at=row[1])
        body = hashlib.sha256()
        body.update(canonical([row[6], seq, row[1], row[2], row[3], row[4], row[5]])[:-1].encode() + b",[")
        while pending is not None and pending[0] < seq:
            report.add("item_lost", seq=pending[0], entity=pending[2], uid=pending[3])
            pending = next(items, None)
        ordinal = 0
        while pending is not None and pending[0] == seq:
            body.update((b"," if ordinal else b"") + _encoded(list(pending[2:])))
            if pending[1] != ordinal:
                report.add("chain_items", seq=seq, at=row[1])
            ordinal += 1
            report.count("items")
            pending = next(items, None)
        body.update(b"]]")
        if body.hexdigest() != row[7]:
            report.add("chain_hash", seq=seq, at=row[1])
        found = found or row[7] == wanted
        expected, last, prev = seq + 1, row[1], row[7]
        report.count("events")
    if pending is not None:
        report.add("item_lost", seq=pending[0], entity=pending[2], uid=pending[3])
    report.head = prev
    if not found:
        report.add("expect", hash=wanted)


def _events(conn: Connection) -> Iterator[Any]:
    event, last = s.audit_event, -1
    columns = (event.c.seq, event.c.at, event.c.actor, event.c.action, event.c.reason, event.c.version, event.c.prev,
               event.c.hash)  # fmt: skip
    while rows := conn.execute(select(*columns).where(event.c.seq > last).order_by(event.c.seq).limit(_PAGE)).all():
        yield from rows
        last = rows[-1][0]


def _encoded(data: object) -> bytes:
    try:
        return canonical(data).encode()
    except (TypeError, ValueError):
        return repr(data).encode()  # not what was hashed, whatever it is


def records(store: Store, conn: Connection, report: Report) -> None:
    """Every record against the digest that the audit trail has of it, both ways; what full-text search knows of it."""
    item = s.audit_item
    for name, kind in ENTITIES.items():
        for ids in _pages(conn, kind.table.c.id):
            page = load(conn, name, ids)
            uids = [r["uid"] for r in page.values()]
            trail: dict[str, list[tuple[int, str, str | None]]] = {}
            for row in conn.execute(
                select(item.c.uid, item.c.seq, item.c.digest, item.c.detail)
                .where(item.c.uid.in_(uids) & (item.c.entity == name)).order_by(item.c.seq, item.c.ordinal)
            ):  # fmt: skip
                trail.setdefault(row[0], []).append((row[1], row[2], row[3]))
            texts = _texts(conn, name, ids) if kind.search else {}
            for key, record in page.items():
                who = {"entity": name, "label": record.get(kind.label) or "", "uid": record["uid"]}
                known = trail.get(record["uid"])
                if known is None:
                    report.add("record_unaudited", **who)
                elif known[-1][1] != _digest(record):
                    report.add("record_changed", **who)
                elif seq := _broken(record, known):
                    report.add("record_history", seq=seq, **who)
                elif kind.search and texts.get(key) != search_text_of(record, kind.search):
                    report.add("search", **who)
            report.count("records", len(page))
        _choices(conn, report, kind)
        gone = select(item.c.uid).distinct().where(
            and_(item.c.entity == name, ~exists().where(kind.table.c.uid == item.c.uid))
        )  # fmt: skip
        for row in conn.execute(gone):
            report.add("record_missing", entity=name, uid=row[0])
        if kind.search:
            lost = select(func.count()).select_from(s.search_text).where(
                and_(s.search_text.c.entity == name, ~exists().where(kind.table.c.id == s.search_text.c.entity_id))
            )  # fmt: skip
            if number := conn.execute(lost).scalar_one():
                report.add("reference", table="search_text", column=name, number=number)


def _broken(record: dict[str, Any], trail: Sequence[tuple[int, str, str | None]]) -> int:
    """First event from the end that does not lead from the record before it to the one after it, or 0.

    Each change notes the old values of what it changed; put back, they must give the record that the event before
    noted. Whoever edited the catalogue in between two changes is found here, though the last digest fits.
    """
    now = dict(record)
    for (_, before, _), (seq, _, detail) in zip(trail[-2::-1], trail[:0:-1], strict=True):
        if detail is None:
            return 0  # nothing is known of what this event changed
        try:
            for key, (old, new) in json.loads(detail).items():
                if now[key] != new:
                    return seq
                now[key] = old
        except (ValueError, TypeError, KeyError, AttributeError):
            return seq
        if _digest(now) != before:
            return seq
    return 0


def _choices(conn: Connection, report: Report, kind: Entity) -> None:
    """Words that decide who sees a record and what uses it."""
    table = kind.table
    for key, allowed in (("status", s.STATUSES), ("visibility", s.VISIBILITIES)):
        if key in table.c:
            for row in conn.execute(select(table.c.uid, table.c[key]).where(table.c[key].not_in(allowed))):
                report.add("choice", entity=kind.name, uid=row[0], field=key, value=row[1], known=", ".join(allowed))


def _digest(record: dict[str, Any]) -> str:
    try:
        return digest(record)
    except (TypeError, ValueError):
        return ""  # something that no record can hold


def _pages(conn: Connection, key: Column[Any]) -> Iterator[list[int]]:
    last = None
    while True:
        query = select(key).order_by(key).limit(_PAGE)
        ids = [row[0] for row in conn.execute(query if last is None else query.where(key > last))]
        if not ids:
            return
        yield ids
        last = ids[-1]


def _texts(conn: Connection, name: str, ids: list[int]) -> dict[int, str]:
    table = s.search_text
    query = select(table.c.entity_id, table.c.text).where((table.c.entity == name) & table.c.entity_id.in_(ids))
    return {row[0]: row[1] for row in conn.execute(query)}


def references(store: Store, conn: Connection, report: Report) -> None:
    """Rows that point to rows which are not there."""
    if store.dialect != "sqlite":  # there, `database` asks the engine itself
        for table in s.metadata.sorted_tables:
            for key in table.foreign_keys:
                _dangling(conn, report, table, key.parent, key.column)
    for name, kind in ENTITIES.items():
        at = s.attachment
        lost = select(at.c.filename).where(
            and_(at.c.entity == name, ~exists().where(kind.table.c.uid == at.c.entity_uid))
        )
        for row in conn.execute(lost):
            report.add("attachment", filename=row[0], entity=name)
    strange = select(s.attachment.c.filename, s.attachment.c.entity).where(s.attachment.c.entity.not_in(list(ENTITIES)))
    for row in conn.execute(strange):
        report.add("attachment", filename=row[0], entity=row[1])


def _dangling(conn: Connection, report: Report, table: Table, column: Column[Any], target: Column[Any]) -> None:
    other = target.table.alias("other")
    query = select(func.count()).select_from(table).where(
        and_(column.is_not(None), ~exists().where(other.c[target.name] == column))
    )  # fmt: skip
    if number := conn.execute(query).scalar_one():
        report.add("reference", table=table.name, column=column.name, number=number)


def raw_files(store: Store, conn: Connection, report: Report) -> None:
    """Raw files: rows, files, hashes and the audit trail of each."""
    table, item, vault = s.raw, s.audit_item, store.vault
    for prefix, names in _folders(vault, report):
        rows = {
            row[0]: (row[1], row[2], row[3], row[4])
            for row in conn.execute(
                select(table.c.sha256, table.c.size, table.c.filename, table.c.quarantined, table.c.received_at)
                .where(_starts(table.c.sha256, prefix))
            )
        }  # fmt: skip
        last: dict[str, str] = {}
        noted: dict[str, set[str]] = {}
        for shas in _slices(sorted(rows)):
            for row in conn.execute(
                select(item.c.uid, item.c.change, item.c.digest).where(item.c.uid.in_(shas) & (item.c.entity == "raw"))
                .order_by(item.c.seq, item.c.ordinal)
            ):  # fmt: skip
                last[row[0]] = row[1]
                if row[2] != row[0]:  # earlier versions noted the hash of the content alone
                    noted.setdefault(row[0], set()).add(row[2])
        for sha, (size, filename, state, at) in rows.items():
            who = {"filename": filename, "file": str(vault.path(sha))}
            if sha not in last:
                report.add("raw_unaudited", **who)
            elif RAW_STATES.get(last[sha]) != state:
                report.add("raw_state", **who)
            elif not noted.get(sha, set()) <= {
                _raw_digest(sha, n, filename, at) for n in (size, _size(vault.path(sha)))
            }:
                report.add("raw_changed", **who)
            if state == 2 and sha not in names:
                report.count("raw_elsewhere")
            elif sha not in names:
                report.add("raw_missing", **who)
            else:
                _check_file(vault.path(sha), sha, size, report, "raw_damaged", who)
            report.count("raw")
        for sha in sorted(names - rows.keys()):
            report.add("orphan", "note", file=str(vault.path(sha)))
    gone = select(item.c.uid).distinct().where(
        and_(item.c.entity == "raw", ~exists().where(table.c.sha256 == item.c.uid))
    )  # fmt: skip
    for row in conn.execute(gone):
        report.add("record_missing", entity="raw", uid=row[0])


def _size(file: Path) -> int:
    """Size of a file; where it and the row differ, that is said by itself, and one of the two is what was noted."""
    try:
        return file.stat().st_size
    except OSError:
        return -1


def _raw_digest(sha: str, size: Any, filename: Any, at: Any) -> str:
    try:
        return raw_digest(sha256=sha, size=size, filename=filename, received_at=at)
    except (TypeError, ValueError):
        return ""


def curves(store: Store, conn: Connection, report: Report) -> None:
    """Curves: every one that a measurement names is there, has its hash and can be read."""
    m, blob, files = s.measurement, s.curve_blob, store.curve_files
    for prefix, names in _folders(files, report):
        wanted = {
            row[0]: row[1]
            for row in conn.execute(
                select(m.c.curve_sha, func.min(m.c.uid)).where(_starts(m.c.curve_sha, prefix)).group_by(m.c.curve_sha)
            )
        }
        rows = {row[0] for row in conn.execute(select(blob.c.sha256).where(_starts(blob.c.sha256, prefix)))}
        for sha in sorted(wanted):
            who = {"curve": sha, "uid": wanted[sha]}
            if sha not in names and sha not in rows:
                report.add("curve_missing", **who)
            if report.deep and sha in names:
                try:
                    data = files.path(sha).read_bytes()
                except OSError as exc:
                    report.add("unreadable", check=str(files.path(sha)), said=exc.strerror or str(exc))
                else:
                    _check_curve(data, sha, report, who)
            if report.deep and sha in rows:
                data = conn.execute(select(blob.c.data).where(blob.c.sha256 == sha)).scalar_one()
                _check_curve(bytes(data), sha, report, who)
            report.count("curves")
        for sha in sorted(names - wanted.keys()):
            report.add("orphan", "note", file=str(files.path(sha)))
        for sha in sorted(rows - wanted.keys()):
            report.add("orphan", "note", file=f"curve_blob {sha}")


def _check_curve(data: bytes, sha: str, report: Report, who: dict[str, Any]) -> None:
    report.count("hashed_bytes", len(data))
    if sha256(data) != sha:
        report.add("curve_damaged", **who)
        return
    try:
        decode(data)
    except IntegrityError:
        report.add("curve_unreadable", **who)


def _check_file(file: Path, sha: str, size: int, report: Report, kind: str, who: dict[str, Any]) -> None:
    try:
        if file.stat().st_size != size:
            report.add(kind, **who)
            return
        if report.deep:
            with file.open("rb") as handle:
                found = hashlib.file_digest(handle, "sha256").hexdigest()
            report.count("hashed_bytes", size)
            if found != sha:
                report.add(kind, **who)
    except OSError as exc:
        report.add("unreadable", check=str(file), said=exc.strerror or str(exc))


def _folders(files: FileStore, report: Report) -> Iterator[tuple[str, set[str]]]:
    """The 256 two-digit prefixes, each with the hashes of the files there; what is no such file is a note."""
    length = 64 - 2
    if files.folder.is_dir():
        for entry in sorted(files.folder.iterdir()):
            if len(entry.name) != 2 or not _HEX.fullmatch(entry.name) or not entry.is_dir():
                report.add("foreign", "note", file=str(entry))
    else:
        report.add("folder_missing", file=str(files.folder))
    for number in range(256):
        prefix = f"{number:02x}"
        folder = files.folder / prefix
        names: set[str] = set()
        if folder.is_dir():
            for entry in folder.iterdir():
                stem = entry.name.removesuffix(files.suffix)
                if entry.name.endswith(files.suffix) and len(stem) == length and _HEX.fullmatch(stem):
                    names.add(prefix + stem)
                else:
                    report.add("foreign", "note", file=str(entry))
        yield prefix, names


def _starts(column: Column[Any], prefix: str) -> Any:
    after = f"{int(prefix, 16) + 1:02x}" if prefix != "ff" else "g"
    return and_(column >= prefix, column < after)


def _slices(items: list[str]) -> Iterable[list[str]]:
    for start in range(0, len(items), _PAGE):
        yield items[start : start + _PAGE]


def temporary(store: Store, conn: Connection, report: Report) -> None:
    """Files that a writer who died left behind; opening the laboratory an hour later removes them."""
    folder = store.root / "tmp"
    for file in sorted(folder.glob("*.tmp")) if folder.is_dir() else ():
        report.add("temporary", "note", file=str(file))

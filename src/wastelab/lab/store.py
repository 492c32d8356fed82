"""The store: catalogue, raw vault and curves as one thing, and the only way to change any of it.

Every change is an `Act`: one transaction over catalogue and files that ends in one audit event, or leaves nothing.
Files are durable before the row that names them is committed; a crash in between leaves at most an orphan file.
"""

from __future__ import annotations

import getpass
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from ..errors import IntegrityError, LabError, UnknownNameError
from ..i18n import near, say
from ..instruments.base import Variable
from . import audit
from . import schema as s
from .curves import BlobCurves, CurveStore, FileCurves, decode
from .engine import translate
from .entities import ENTITIES, Record, canonical, checked_digest, complete, digest, entity, fitted, load, shape
from .files import FileStore

#: Keys of `meta` that close a catalogue: it was moved away, or is a copy that is not yet in charge. See `transfer`.
MOVED_TO, ARRIVING = "moved_to", "arriving_from"
GUARDS = (MOVED_TO, ARRIVING)


def uuid7() -> str:
    """A time-ordered unique id (RFC 9562, version 7)."""
    import time

    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    return str(uuid.UUID(int=value))


def default_user() -> str:
    """Name of the person at this computer, for the audit trail."""
    try:
        return os.environ.get("WASTELAB_USER") or getpass.getuser()
    except (OSError, KeyError):
        return "unknown"


#: Asked before everything else, so it is no expression that is built and compiled each time.
_GUARDED = f"SELECT key, value FROM meta WHERE key IN ({', '.join(repr(g) for g in GUARDS)})"


class Store:
    """Catalogue, vault and curves of one laboratory.

    Attributes
    ----------
    root : Path
        Folder with ``lab.toml``, ``raw/``, ``curves/``, ``tmp/``, ``cache/``, ``backups/`` and, with SQLite, the
        catalogue itself.
    engine : sqlalchemy.Engine
    vault : FileStore
        Every raw file that was ever uploaded, by its SHA-256.
    curves : CurveStore
    user : str
        Who acts, for the audit trail.
    """

    def __init__(self, root: Path, engine: Engine, curves: str, *, user: str | None = None) -> None:
        self.root = root
        self.engine = engine
        self.user = user or default_user()
        self.vault = FileStore(root / "raw", root / "tmp")
        self.curve_files = FileStore(root / "curves", root / "tmp", ".h5")
        self.curves: CurveStore = FileCurves(self.curve_files) if curves == "files" else BlobCurves()
        self._quantities: dict[tuple[str, str], int] = {}

    @property
    def dialect(self) -> str:
        """``"sqlite"`` or ``"postgresql"``."""
        return self.engine.dialect.name

    @property
    def place(self) -> str:
        """What to call this laboratory in messages."""
        return str(self.root)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A connection that sees one unchanging state of the catalogue.

        Raises
        ------
        LabError
            If the catalogue cannot be read.
        """
        try:
            with self.engine.connect().execution_options(wastelab_read=True) as conn, conn.begin():
                self.refuse_if_moved(conn)
                yield conn
        except DBAPIError as exc:
            raise translate(exc, self.place) from exc

    @contextmanager
    def write(self, action: str, *, reason: str = "", actor: str | None = None) -> Iterator[Act]:
        """One act: all of it is stored and audited, or nothing.

        Parameters
        ----------
        action : str
            What is done (``"upload"``, ``"retract"`` …).
        reason : str
        actor : str, optional
            The store's user by default.

        Raises
        ------
        LabError
            If the catalogue cannot be written to; nothing was changed.
        """
        try:
            with self.engine.connect().execution_options(wastelab_write=True) as conn:
                with conn.begin():
                    self.refuse_if_moved(conn)
                    act = Act(self, conn, action, reason, actor or self.user)
                    yield act
                    act.close()
                self._quantities.update(act.new_quantities)
        except DBAPIError as exc:
            raise translate(exc, self.place) from exc

    def refuse_if_moved(self, conn: Connection) -> None:
        """Raise if this catalogue was left behind by a move to another database, or is not yet in charge.

        Raises
        ------
        LabError
        """
        row = conn.exec_driver_sql(_GUARDED).first()
        if row is None:
            return
        if row[0] == MOVED_TO:
            raise LabError(
                f"{self.place}: the catalogue was moved to {row[1]}; nothing was read or stored here. Close the "
                "laboratory and open it again: it then uses the new one."
            )
        raise LabError(
            f"{self.place}: this catalogue is the copy of a move that did not finish; nothing was read or stored. Open "
            "the laboratory by its folder."
        )

    def curve(self, conn: Connection, sha: str) -> tuple[dict[str, Variable], dict[str, str]]:
        """Variables and attributes of a stored curve, looked for in both kinds of store."""
        return decode(self.curve_bytes(conn, sha))

    def curve_bytes(self, conn: Connection, sha: str) -> bytes:
        """A stored curve as it is kept, checked against its hash."""
        if self.curves.name == "blob":
            data = BlobCurves.find(conn, sha)
            return data if data is not None else FileCurves(self.curve_files).get(conn, sha)
        return (self.curves if sha in self.curve_files else BlobCurves()).get(conn, sha)

    def meta(self, conn: Connection) -> dict[str, str]:
        """Facts about the laboratory itself: ``uid``, ``name``, ``created_at``."""
        return {row[0]: row[1] for row in conn.execute(select(s.meta.c.key, s.meta.c.value))}

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


class Act:
    """A transaction that is being written. Made by `Store.write`, not by hand.

    Attributes
    ----------
    conn : Connection
    at : str
        UTC time of the act; never before that of the last one.
    event : str
        Hash of the audit event, once closed.
    """

    def __init__(self, store: Store, conn: Connection, action: str, reason: str, actor: str) -> None:
        self.store = store
        self.conn = conn
        self.action = action
        self.reason = reason
        self.actor = actor
        checked_digest("act", {"action": action, "reason": reason, "actor": actor})
        seq, last, self._prev = audit.head(conn)
        self.seq = seq + 1
        self.at = audit.next_time(last)
        self.items: list[audit.Item] = []
        self.event = ""
        self.new_quantities: dict[tuple[str, str], int] = {}
        self._next: dict[str, int] = {}
        self._known: dict[str, dict[str, int]] = {}

    # -- writing
    def insert(self, name: str, record: Mapping[str, Any], *, change: str = "insert") -> int:
        """Insert one record; see `insert_many`."""
        return self.insert_many(name, [record], change=change)[0]

    def insert_many(self, name: str, records: Sequence[Mapping[str, Any]], *, change: str = "insert") -> list[int]:
        """Insert records with their children and note each in the audit event.

        Parameters
        ----------
        name : str
            Entity (``"sample"``, ``"measurement"`` …).
        records : sequence of mapping
            As `entities` describes them; references are uids. A missing ``uid`` and ``created_at`` are filled in.

        Returns
        -------
        list of int
            Internal keys, in order.

        Raises
        ------
        UnknownNameError
            If a reference points nowhere.
        """
        if not records:
            return []
        kind = entity(name)
        own, children = shape(kind)
        rows: list[Record] = []
        child_rows: list[list[Record]] = [[] for _ in children]
        texts: list[Record] = []
        ids: list[int] = []
        has_created = "created_at" in kind.table.columns
        start = self._allocate(name, len(records))
        for offset, given in enumerate(records):
            record = complete(kind, given)
            if not record.get("uid"):
                record["uid"] = uuid7()
            if has_created and not record["created_at"]:
                record["created_at"] = self.at
            key = start + offset
            ids.append(key)
            self.items.append(audit.Item(name, record["uid"], change, checked_digest(name, record)))
            self._remember(name, record["uid"], key)
            row: Record = {"id": key}
            for column, sort, _ in own:
                if sort == "ref":
                    row[f"{column}_id"] = self._resolve(kind.refs[f"{column}_id"], record[column])
                else:
                    row[column] = record[column]
            rows.append(row)
            for (child, _), out in zip(children, child_rows, strict=True):
                for ordinal, item in enumerate(record[child.key]):
                    out.append(self._child(child, key, ordinal, item))
            if kind.search:
                texts.append({"entity": name, "entity_id": key, "text": search_text_of(record, kind.search)})
        self.conn.execute(insert(kind.table), rows)
        for (child, _), out in zip(children, child_rows, strict=True):
            if out:
                self.conn.execute(insert(child.table), out)
        if texts:
            self.conn.execute(insert(s.search_text), texts)
        return ids

    def _child(self, child: Any, owner: int, ordinal: int, item: Mapping[str, Any]) -> Record:
        row: Record = {child.owner: owner, "ordinal": ordinal}
        for key, value in item.items():
            if key == "quantity":
                row["quantity_id"] = self.quantity(value, item["unit"])
            elif f"{key}_id" in child.refs:
                row[f"{key}_id"] = self._resolve(child.refs[f"{key}_id"], value)
            elif key != "unit":
                row[key] = value
        return row

    def change(self, name: str, key: int, changes: Mapping[str, Any], *, change: str = "update") -> None:
        """Change fields of a record that may be changed; old and new value are in the audit trail.

        Raises
        ------
        LabError
            If a field may not be changed in place (supersede the record instead).
        IntegrityError
            If the record is not as the audit trail has it; see `unchanged`.
        """
        kind = entity(name)
        columns = {k: (f"{k}_id" if f"{k}_id" in kind.refs else k) for k in changes}
        frozen = [k for k, c in columns.items() if c not in kind.mutable]
        if frozen:
            raise LabError(
                f"{', '.join(frozen)} of a {name} cannot be changed in place: what was recorded stays. "
                "Record a corrected one that supersedes it."
            )
        before = load(self.conn, name, [key])
        if not before:
            raise LabError(f"There is no {name} with internal key {key}.")
        old = before[key]
        self.unchanged(name, [old])
        changes = fitted(kind, changes)
        checked_digest(name, changes)
        row = {
            c: (self._resolve(kind.refs[c], changes[k]) if c in kind.refs else changes[k]) for k, c in columns.items()
        }
        self.conn.execute(update(kind.table).where(kind.table.c.id == key).values(**row))
        new = load(self.conn, name, [key])[key]
        detail = {k: [old[k], new[k]] for k in changes if old[k] != new[k]}
        if not detail:
            return
        self.items.append(audit.Item(name, new["uid"], change, digest(new), canonical(detail)))
        if kind.search:
            where = (s.search_text.c.entity == name) & (s.search_text.c.entity_id == key)
            self.conn.execute(update(s.search_text).where(where).values(text=search_text_of(new, kind.search)))

    def unchanged(self, name: str, records: Sequence[Mapping[str, Any]]) -> None:
        """Refuse records that are not as the audit trail last saw them; asked of every record before it is changed.

        A change notes the digest of the whole record: without this question it would confirm what somebody wrote to
        the database past wastelab.

        Raises
        ------
        IntegrityError
            Names the first such record.
        """
        wanted = {str(r["uid"]): r for r in records}
        known = audit.last_digests(self.conn, name, list(wanted))
        known |= {i.uid: i.digest for i in self.items if i.entity == name and i.uid in wanted}
        for uid, record in wanted.items():
            try:
                found = digest(record)
            except (TypeError, ValueError):  # something that no record can hold
                found = ""
            if known.get(uid) != found:
                label = record.get(entity(name).label) or ""
                raise IntegrityError(
                    f"{self.store.place}: {name} {label} ({uid}) is not as the audit trail recorded it: it was edited "
                    "past wastelab, or damaged. Nothing was changed. Run `wastelab verify` and restore a backup."
                )

    def note(self, name: str, uid: str, change: str, body: object) -> None:
        """Note something that is no record (a raw file, a setting) in the audit event."""
        import hashlib

        text = body if isinstance(body, str) else canonical(body)
        sha = text if len(text) == 64 and all(c in "0123456789abcdef" for c in text) else hashlib.sha256(text.encode())
        self.items.append(audit.Item(name, uid, change, sha if isinstance(sha, str) else sha.hexdigest()))

    def put_curves(self, items: Sequence[bytes]) -> list[str]:
        """Keep encoded curves; durable before this returns (*files*) or with the commit (*blob*)."""
        return self.store.curves.put(self.conn, items)

    def put_raw(self, data: bytes, filename: str, *, quarantined: bool = False) -> str:
        """Keep a raw file for ever, before anything is read from it."""
        checked_digest("raw file", {"filename": filename})
        sha = self.store.vault.put(data)
        row = self.conn.execute(select(s.raw.c.quarantined).where(s.raw.c.sha256 == sha)).first()
        if row is None:
            given: dict[str, Any] = {"sha256": sha, "size": len(data), "filename": filename, "received_at": self.at}
            self.conn.execute(insert(s.raw), {**given, "quarantined": int(quarantined)})
            self.note("raw", sha, "quarantine" if quarantined else "insert", audit.raw_digest(**given))
        elif row[0] and not quarantined:  # out of quarantine, or a file that a bundle named but did not bring
            self.conn.execute(update(s.raw).where(s.raw.c.sha256 == sha).values(quarantined=0))
            self.note("raw", sha, "release", sha)  # name and time stay as they were first noted
        return sha

    def quantity(self, name: str, unit: str) -> int:
        """Internal key of a quantity in a unit."""
        known = self.store._quantities.get((name, unit)) or self.new_quantities.get((name, unit))
        if known is not None:
            return known
        table = s.quantity
        row = self.conn.execute(select(table.c.id).where((table.c.name == name) & (table.c.unit == unit))).first()
        if row is None:
            key = self._allocate("quantity", 1)
            self.conn.execute(insert(table), {"id": key, "name": name, "unit": unit})
        else:
            key = int(row[0])
        self.new_quantities[(name, unit)] = key
        return key

    def close(self) -> None:
        """Write the audit event. An act that touched nothing leaves no trace."""
        if not self.items:
            return
        self.event = audit.append(
            self.conn, self.at, self.seq, self._prev, actor=self.actor, action=self.action, reason=self.reason,
            items=self.items,
        )  # fmt: skip

    # -- keys
    def _allocate(self, name: str, count: int) -> int:
        """First of `count` internal keys; safe because writers are serialised."""
        if name not in self._next:
            table = s.quantity if name == "quantity" else entity(name).table
            self._next[name] = int(self.conn.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one()) + 1
        start = self._next[name]
        self._next[name] += count
        return start

    def _remember(self, name: str, uid: str, key: int) -> None:
        self._known.setdefault(name, {})[uid] = key

    def _resolve(self, name: str, uid: str | None) -> int | None:
        if uid is None:
            return None
        known = self._known.setdefault(name, {})
        if uid not in known:
            table = entity(name).table
            row = self.conn.execute(select(table.c.id).where(table.c.uid == uid)).first()
            if row is None:
                raise UnknownNameError(f"There is no {name} with uid {uid}.")
            known[uid] = int(row[0])
        return known[uid]

    def find(self, name: str, label: str) -> int | None:
        """Internal key of a record by the name people know it by (code, name), or None."""
        kind = entity(name)
        row = self.conn.execute(select(kind.table.c.id).where(kind.table.c[kind.label] == label)).first()
        return None if row is None else int(row[0])

    def uid(self, name: str, label: str) -> str:
        """Uid of a record by the name people know it by.

        Raises
        ------
        UnknownNameError
            If there is none; suggests a near one.
        """
        return find_uid(self.conn, name, label)


def find_uid(conn: Connection, name: str, label: str) -> str:
    """Uid of a record by its code or name (or its uid itself); by its uid alone where several may have one label.

    Raises
    ------
    UnknownNameError
        If there is none; suggests a near one.
    """
    kind = ENTITIES[name]
    column = kind.table.c[kind.label]
    if not column.unique:
        row = conn.execute(select(kind.table.c.uid).where(kind.table.c.uid == label)).first()
        if row is None:
            raise UnknownNameError(
                f"There is no {name.replace('_', ' ')} with uid {label!r} in this laboratory; several may share a "
                f"{kind.label}, so only the uid names one."
            )
        return str(row[0])
    row = conn.execute(select(kind.table.c.uid).where((column == label) | (kind.table.c.uid == label))).first()
    if row is None:
        known: Iterable[str] = [r[0] for r in conn.execute(select(column).limit(20_000))]
        raise UnknownNameError(
            say(f"error.there_is_no+error.kind_{name}+error.named", label=label) + near(label, known)
        )
    return str(row[0])


def search_text_of(record: Mapping[str, Any], columns: Iterable[str]) -> str:
    """What full-text search looks at of a record."""
    return "\n".join(str(record[c]) for c in columns if record.get(c)).lower()


def from_json(text: str | None) -> Any:
    """Structured text of the catalogue, or None where it is empty."""
    return json.loads(text) if text else None

"""The audit trail: who changed what, when and why, in an append-only hash chain.

Each event hashes its predecessor and the digests of every record it touched, so a changed, removed or inserted row or
file anywhere in the past breaks the chain. It shows tampering to whoever kept a later hash (every receipt carries
one); it cannot stop somebody who rewrites the whole chain and all receipts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, insert, select

from . import schema as s
from .entities import canonical

#: Predecessor of the first event.
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class Item:
    """One record touched by an event.

    Attributes
    ----------
    entity, uid : str
    change : {"insert", "update", "import"} or another verb
    digest : str
        Digest of the record after the change.
    detail : str or None
        Canonical JSON of what changed, ``{"field": [old, new]}``, for updates.
    """

    entity: str
    uid: str
    change: str
    digest: str
    detail: str | None = None


def event_hash(
    prev: str, seq: int, at: str, actor: str, action: str, reason: str, version: str, items: Sequence[Item]
) -> str:
    """Hash of an event."""
    body = [
        prev, seq, at, actor, action, reason, version,
        [[i.entity, i.uid, i.change, i.digest, i.detail] for i in items],
    ]  # fmt: skip
    return hashlib.sha256(canonical(body).encode()).hexdigest()


def now() -> str:
    """UTC time as stored: ``2026-03-02T06:05:00.123456Z``."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def next_time(last: str) -> str:
    """The time for the next event: never before the last one, even if the clock was set back."""
    at = now()
    if at > last:
        return at
    then = datetime.strptime(last, "%Y-%m-%dT%H:%M:%S.%fZ") + timedelta(microseconds=1)
    return then.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def head(conn: Connection) -> tuple[int, str, str]:
    """Number, time and hash of the last event (0, "", `GENESIS` before the first)."""
    row = conn.execute(
        select(s.audit_event.c.seq, s.audit_event.c.at, s.audit_event.c.hash)
        .order_by(s.audit_event.c.seq.desc())
        .limit(1)
    ).first()
    return (row[0], row[1], row[2]) if row else (0, "", GENESIS)


def last_digests(conn: Connection, entity: str, uids: Sequence[str]) -> dict[str, str]:
    """The newest digest that the trail has of each record."""
    item = s.audit_item
    out: dict[str, str] = {}
    for start in range(0, len(uids), 1000):
        query = (
            select(item.c.uid, item.c.digest)
            .where(item.c.uid.in_(uids[start : start + 1000]) & (item.c.entity == entity))
            .order_by(item.c.seq, item.c.ordinal)
        )
        out |= {row[0]: row[1] for row in conn.execute(query)}
    return out


def raw_digest(*, sha256: str, size: int, filename: str, received_at: str) -> str:
    """What the trail notes of a raw file. Catalogues of earlier versions noted the hash of its content alone."""
    body = [sha256, size, filename, received_at]
    return hashlib.sha256(canonical(body).encode()).hexdigest()


def append(
    conn: Connection, at: str, seq: int, prev: str, *, actor: str, action: str, reason: str, items: Sequence[Item]
) -> str:
    """Write one event and its items; returns its hash. The caller holds the write lock."""
    from .. import __version__

    digest = event_hash(prev, seq, at, actor, action, reason, __version__, items)
    conn.execute(
        insert(s.audit_event),
        {"seq": seq, "at": at, "actor": actor, "action": action, "reason": reason, "version": __version__, "prev": prev,
         "hash": digest},
    )  # fmt: skip
    if items:
        conn.execute(
            insert(s.audit_item),
            [
                {"seq": seq, "ordinal": n, "entity": i.entity, "uid": i.uid, "change": i.change, "digest": i.digest,
                 "detail": i.detail}
                for n, i in enumerate(items)
            ],
        )  # fmt: skip
    return digest

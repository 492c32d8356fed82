"""Shared records after they were shared: what of a record that is here already a bundle may bring up to date.

Only fields that may change in place are looked at, each by itself: the values it had here, in order, must lead up to
what the bundle brings (then the bundle is ahead and is followed), or hold it already (then the bundle is behind).
A record is changed by the laboratory it is of: what a partner changed of ours is never taken, and what was changed
here by hand is never overwritten. Verification and retraction are one field, and a retraction is final.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, select

from . import audit
from . import schema as s
from .entities import ENTITIES, Record, digest, key_of

#: Changes by which a record, or a newer state of it, came from another laboratory.
IMPORTS = ("import", "import-update")
#: Fields that say together how far a result was checked.
CHECK = ("status", "checked_by", "checked_at", "flags")
RETRACTED = "retracted"


@dataclass
class Step:
    """What to do with a record that is here and differs from the bundle's.

    Attributes
    ----------
    changes : dict
        Fields to bring up to date.
    conflicts : list of (str, object, object)
        Fields that cannot be merged: name, value here, value in the bundle.
    fixed : bool
        Whether a field among them is one that never changes.
    objection : bool
        The bundle says that a result of this laboratory is retracted.
    """

    changes: dict[str, Any] = field(default_factory=dict)
    conflicts: list[tuple[str, Any, Any]] = field(default_factory=list)
    fixed: bool = False
    objection: bool = False


def trails(conn: Connection, name: str, uids: Sequence[str]) -> dict[str, list[audit.Item]]:
    """What the audit trail here has of each record, oldest first."""
    item = s.audit_item
    out: dict[str, list[audit.Item]] = {}
    for start in range(0, len(uids), 1000):
        query = (
            select(item.c.uid, item.c.change, item.c.digest, item.c.detail)
            .where(item.c.uid.in_(uids[start : start + 1000]) & (item.c.entity == name))
            .order_by(item.c.seq, item.c.ordinal)
        )
        for row in conn.execute(query):
            out.setdefault(row[0], []).append(audit.Item(name, *row))
    return out


def versions(record: Record, trail: Sequence[audit.Item]) -> list[Record]:
    """States of a record that its trail proves, oldest first: each change undone must have the digest before it."""
    out = [record]
    for at in range(len(trail) - 1, 0, -1):
        detail = _detail(trail[at])
        older = {**out[-1], **{k: pair[0] for k, pair in detail.items()}}
        if not detail or digest(older) != trail[at - 1].digest:
            break
        out.append(older)
    return out[::-1]


def _detail(item: audit.Item) -> dict[str, list[Any]]:
    """Old and new values of a change; nothing where none can be read, as a stranger may have written it."""
    if not isinstance(item.detail, str):
        return {}
    try:
        found = json.loads(item.detail)
    except (ValueError, RecursionError):
        return {}
    if isinstance(found, dict) and all(isinstance(pair, list) and len(pair) == 2 for pair in found.values()):
        return found
    return {}


def follow(
    name: str,
    mine: Record,
    given: Record,
    here: Sequence[audit.Item],
    there: Sequence[Record],
    *,
    from_source: bool,
) -> Step:
    """Compare a record with a bundle's.

    Parameters
    ----------
    name : str
        Kind of record.
    mine, given : dict
        The record here and in the bundle, both as this laboratory writes them.
    here : sequence of Item
        What the audit trail here has of it.
    there : sequence of dict
        States that the bundle's trail proves, oldest first; see `versions`.
    from_source : bool
        Whether the bundle is of the laboratory that the record is of.

    Returns
    -------
    Step
    """
    out = Step()
    ours = here[0].change not in IMPORTS if here else True
    if "origin" in mine:
        ours = not mine["origin"]
    may_change = {key_of(c) for c in ENTITIES[name].mutable}
    by_hand: set[str] = set()
    for item in here[1:]:
        by_hand = by_hand - _detail(item).keys() if item.change in IMPORTS else by_hand | _detail(item).keys()
    states = versions(mine, here)
    for key in sorted(mine):
        if mine[key] == given[key] or (key in CHECK and "status" in mine):
            continue
        past, theirs = _values(states, (key,)), _values(there, (key,))
        if key not in may_change:
            out.fixed = True
            ahead = behind = False
        elif ours:
            ahead, behind = False, (given[key],) in past
        elif key in by_hand:
            ahead, behind = key != "visibility" and _adopted(past, theirs), False
        else:
            ahead = _leads_to(past, theirs)
            behind = (given[key],) in past
        if ahead:
            out.changes[key] = given[key]
        elif not behind:
            out.conflicts.append((key, mine[key], given[key]))
    if "status" in mine:
        _check(out, mine, given, states, there, ours, bool(by_hand & set(CHECK)), from_source)
    return out


def _check(
    out: Step, mine: Record, given: Record, states: Sequence[Record], there: Sequence[Record], ours: bool,
    by_hand: bool, from_source: bool,
) -> None:  # fmt: skip
    """How far a result was checked: never a conflict."""
    if mine["status"] == RETRACTED or all(mine[k] == given[k] for k in CHECK):
        return
    gone = given["status"] == RETRACTED
    if ours:
        out.objection = gone
        return
    past, theirs = _values(states, CHECK), _values(there, CHECK)
    known = tuple(given[k] for k in CHECK) in past
    newer = _leads_to(past, theirs) or (from_source and not known)
    if gone or (newer and not by_hand):
        out.changes |= {k: given[k] for k in CHECK if given[k] != mine[k]}


def _values(states: Sequence[Record], keys: Sequence[str]) -> list[tuple[Any, ...]]:
    """Values that some fields had one after the other."""
    out: list[tuple[Any, ...]] = []
    for state in states:
        value = tuple(state.get(k) for k in keys)
        if not out or out[-1] != value:
            out.append(value)
    return out


def _leads_to(past: Sequence[tuple[Any, ...]], theirs: Sequence[tuple[Any, ...]]) -> bool:
    """Whether all values here occur there in the same order; some may have been missed."""
    rest = iter(theirs)
    return all(any(value == other for other in rest) for value in past)


def _adopted(past: Sequence[tuple[Any, ...]], theirs: Sequence[tuple[Any, ...]]) -> bool:
    """Whether the value that was written here by hand is one that the source had after the one that came."""
    after = next((n for n in range(len(theirs), 0, -1) if theirs[n - 1] == past[0]), len(theirs))
    return past[-1] in theirs[after:]


def said(conflicts: Sequence[tuple[str, Any, Any]]) -> str:
    """Conflicts of one record, as text."""
    listed = [f"{key} = {_short(a)} here, {_short(b)} in the bundle" for key, a, b in conflicts[:4]]
    return ", ".join(listed) + (" …" if len(conflicts) > 4 else "")


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}…"


def proposal(name: str, label: str, uid: str, unique: bool, conflicts: Sequence[tuple[str, Any, Any]]) -> str:
    """The call that takes the bundle's values over."""
    fields: Mapping[str, Any] = {key: given for key, _, given in conflicts}
    who = label if unique else uid
    return f"lab.change({name!r}, {who!r}, {', '.join(f'{k}={_short(v)}' for k, v in fields.items())}, reason=…)"

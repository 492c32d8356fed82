"""Which samples are portions of one material: split, dried or ground; and which are another material by now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from . import filters as f
from . import frames as fr
from . import schema as s
from .steps import steps_of

#: Steps after which a portion is no longer the same material.
CHANGING = frozenset(("calcined", "washed", "leached", "blended", "sieved", "other"))


def history_of(conn: Connection, rows: Sequence[Mapping[Any, Any]]) -> Callable[[int], tuple[int, bool]]:
    """``history(key)``: first sample of the line, and whether a step on the way changed the material."""
    known: dict[int, tuple[int | None, set[str]]] = {
        int(r["id"]): (r["parent_id"], steps_of(r["process"])) for r in rows
    }
    table = s.sample
    missing = {p for p, _ in known.values() if p is not None and p not in known}
    while missing:
        wanted = sorted(missing)
        for start in range(0, len(wanted), fr.CHUNK):
            query = select(table.c.id, table.c.parent_id, table.c.process)
            part = query.where(f.is_one_of(table.c.id, wanted[start : start + fr.CHUNK]))
            known.update((k, (p, steps_of(text))) for k, p, text in f.fetch(conn, part))
        missing = {p for p, _ in known.values() if p is not None and p not in known}

    def history(key: int) -> tuple[int, bool]:
        changed, seen = False, set()
        while key not in seen:
            seen.add(key)
            parent, steps = known[key]
            changed = changed or bool(steps & CHANGING)
            if parent is None:
                break
            key = parent
        return key, changed

    return history

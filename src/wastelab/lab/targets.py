"""What a reading was measured on: codes of samples, mixes and specimens, found exactly or, if unique, without case.

Samples are made only where a class is stated for them, never silently.
"""

from __future__ import annotations

import difflib
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, select

from . import schema as s

KINDS = ("sample", "specimen", "mix")
_TABLES = {"sample": s.sample, "specimen": s.specimen, "mix": s.mix}


@dataclass(frozen=True, slots=True)
class Target:
    """A sample, mix or specimen that something was measured on.

    Attributes
    ----------
    kind : {"sample", "mix", "specimen"}
    code, uid : str
    key : int or None
        Internal key; None for a sample that is yet to be made.
    waste_class, subtype : str
        Class, and name and process, of a sample.
    known : bool
        False where nothing of that name exists: the upload is then refused.
    """

    kind: str
    code: str
    uid: str
    key: int | None = None
    waste_class: str = ""
    subtype: str = ""
    known: bool = True


def fold(code: str) -> str:
    """A code without case, width and doubled blanks."""
    return " ".join(unicodedata.normalize("NFKC", code).casefold().split())


class Codes:
    """Every code there is, by its folded form; reads only what was added since it was last asked.

    One may be kept for many acts: codes are never changed or removed, and keys only grow.
    """

    def __init__(self) -> None:
        self._last = dict.fromkeys(KINDS, 0)
        self._codes: dict[str, dict[str, list[str]]] = {kind: {} for kind in KINDS}

    def refresh(self, conn: Connection) -> None:
        """Take in what was added."""
        for kind, table in _TABLES.items():
            query = select(table.c.id, table.c.code).where(table.c.id > self._last[kind]).order_by(table.c.id)
            for key, code in conn.execute(query):
                self._last[kind] = key
                self._codes[kind].setdefault(fold(code), []).append(code)

    def alike(self, kind: str, name: str) -> list[str]:
        """Codes that differ from a name in case, width and blanks only."""
        return self._codes[kind].get(fold(name), [])

    def near(self, kind: str, name: str, count: int = 3) -> list[str]:
        """The codes most like a name."""
        known = self._codes[kind]
        folded = difflib.get_close_matches(fold(name), list(known)[-20_000:], n=count, cutoff=0.6)
        return [known[f][0] for f in folded]


class Sources:
    """Registered sources by code, or by a name that only one of them has."""

    def __init__(self, conn: Connection) -> None:
        table = s.source
        rows = conn.execute(select(table.c.uid, table.c.code, table.c.name, table.c.name_zh)).all()
        self._known: dict[str, str] = {}
        doubtful = set()
        for uid, *names in rows:
            for text in {fold(n) for n in names[1:] if n}:
                if text in self._known:
                    doubtful.add(text)
                self._known[text] = uid
        for text in doubtful:
            del self._known[text]
        self._known |= {fold(row[1]): row[0] for row in rows}

    def find(self, name: str) -> str | None:
        """Uid of a source."""
        return self._known.get(fold(name))

    def near(self, name: str, count: int = 3) -> list[str]:
        """The codes and names most like one."""
        return difflib.get_close_matches(fold(name), list(self._known), n=count, cutoff=0.5)


def lookup(conn: Connection, names: Mapping[str, Iterable[str]]) -> dict[tuple[str, str], Target]:
    """Targets by kind and exact code.

    Parameters
    ----------
    conn : Connection
    names : mapping of str to iterable of str
        Codes to look for, by kind.
    """
    out: dict[tuple[str, str], Target] = {}
    for kind, wanted in names.items():
        table = _TABLES[kind]
        columns = [table.c.id, table.c.uid, table.c.code]
        if kind == "sample":
            columns += [table.c.waste_class, table.c.name, table.c.name_zh, table.c.process]
        codes = sorted(set(wanted))
        for start in range(0, len(codes), 500):
            query = select(*columns).where(table.c.code.in_(codes[start : start + 500]))
            for row in conn.execute(query):
                out[(kind, row[2])] = _target(kind, row)
    return out


def _target(kind: str, row: Any) -> Target:
    if kind != "sample":
        return Target(kind, row[2], row[1], row[0])
    return Target(kind, row[2], row[1], row[0], row[3], " ".join(t for t in row[4:] if t))

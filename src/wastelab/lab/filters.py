"""Which records a question means: classes, sources, codes, dates, statuses and persons as conditions of a query.

Whatever does not exist is an `UnknownNameError` with a near name; nothing unknown quietly selects nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    String,
    and_,
    bindparam,
    cast,
    collate,
    literal,
    or_,
    select,
)

from ..chemistry import WASTE_CLASSES
from ..errors import LabError, UnknownNameError, suggest
from ..i18n import near, say
from ..instruments import vocabulary
from . import schema as s
from .entities import ENTITIES
from .register import check_date
from .store import Store

Condition = ColumnElement[bool]
Codes = str | Iterable[str] | None

#: Statuses that are used unless somebody asks for others.
USED = ("draft", "verified")
_CHUNK = 5000


class _Snapshot(Store):
    """A store whose every read sees the one state of one connection."""

    def __init__(self, store: Store, conn: Connection) -> None:
        self.__dict__.update(store.__dict__)
        self._conn = conn

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """See `Store.read`."""
        yield self._conn


@contextmanager
def snapshot(store: Store) -> Iterator[Store]:
    """The store as it is now: several questions answered from one unchanging state."""
    with store.read() as conn:
        yield _Snapshot(store, conn)


def listed(given: Codes) -> list[str] | None:
    """One name or several as a list without duplicates, or None."""
    if given is None:
        return None
    return [given] if isinstance(given, str) else list(dict.fromkeys(str(c) for c in given))


def waste_class(name: str) -> str:
    """A waste class by its name, English or Chinese."""
    found = vocabulary.waste_class(name)
    if found not in WASTE_CLASSES:
        known = say("error.classes", known=", ".join(WASTE_CLASSES))
        raise UnknownNameError(say("error.no_class", label=name) + near(name, WASTE_CLASSES) + known)
    return found


def techniques(given: Codes) -> list[str] | None:
    """Codes of techniques by code or alias."""
    names = listed(given)
    return None if names is None else [vocabulary.technique(name).code for name in names]


def statuses(status: str | Sequence[str] | None = None, verified_only: bool = False) -> tuple[str, ...]:
    """Statuses of measurements to look at; drafts and verified ones by default, ``"all"`` for retracted ones too."""
    if verified_only:
        return ("verified",)
    if status is None:
        return USED
    if status == "all":
        return s.STATUSES
    names = (status,) if isinstance(status, str) else tuple(status)
    for name in names:
        if name not in s.STATUSES:
            raise UnknownNameError(
                f"There is no status {name!r}.{suggest(name, s.STATUSES)} Statuses: {', '.join(s.STATUSES)}, all."
            )
    return names


def with_status(status: str | Sequence[str] | None = None, verified_only: bool = False) -> Condition:
    """Condition on the status of a measurement."""
    return s.measurement.c.status.in_(statuses(status, verified_only))


def window(conn: Connection, column: Column[str], start: str | None, end: str | None, what: str) -> list[Condition]:
    """Conditions that a stored date lies in a window, both ends included.

    Dates are compared as text, as far as they go: ``end="2026-03"`` includes all of March. What has no date lies in no
    window.
    """
    out: list[Condition] = []
    if start is None and end is None:
        return out
    # texts of a server are otherwise ordered by its language, which may ignore hyphens
    ordered: Any = column if conn.dialect.name == "sqlite" else collate(cast(column, String), "C")
    if start is not None:
        out.append(ordered >= check_date(start, f"{what}_from"))
    if end is not None:
        out.append(ordered < check_date(end, f"{what}_to") + "~")
        out.append(column != "")
    return out


def visible(conn: Connection, viewer: str | None, *tables: Any) -> list[Condition]:
    """Conditions that a person may see the records of tables with ``visibility`` and ``grp``.

    ``group``: people of the same group; ``institute``: every registered, active person; ``public``: everybody who is
    named. A former member sees what is public.
    """
    if viewer is None:
        return []
    person = s.person
    row = conn.execute(select(person.c.grp, person.c.active).where(person.c.name == viewer)).first()
    if row is None:
        known = [r[0] for r in conn.execute(select(person.c.name))]
        raise UnknownNameError(f"There is no person {viewer!r} in this laboratory.{suggest(viewer, known)}")
    if not row[1]:
        return [t.c.visibility == "public" for t in tables]
    return [
        or_(t.c.visibility.in_(("institute", "public")), and_(t.c.visibility == "group", t.c.grp == row[0]))
        for t in tables
    ]


def measurement_visible(conn: Connection, viewer: str | None) -> list[Condition]:
    """Conditions that a person may see measurements: themselves, and the sample, mix or specimen they were made on."""
    if viewer is None:
        return []
    m = s.measurement
    hidden = [~c for c in visible(conn, viewer, s.sample, s.mix)]
    owner = s.specimen.join(s.mix, s.specimen.c.mix_id == s.mix.c.id)
    return [
        *visible(conn, viewer, m),
        or_(m.c.sample_id.is_(None), m.c.sample_id.not_in(select(s.sample.c.id).where(hidden[0]))),
        or_(m.c.mix_id.is_(None), m.c.mix_id.not_in(select(s.mix.c.id).where(hidden[1]))),
        or_(
            m.c.specimen_id.is_(None),
            m.c.specimen_id.not_in(select(s.specimen.c.id).select_from(owner).where(hidden[1])),
        ),
    ]


def specimen_visible(conn: Connection, viewer: str | None) -> list[Condition]:
    """Conditions that a person may see specimens: those of a mix that they may see."""
    if viewer is None:
        return []
    return [s.specimen.c.mix_id.in_(select(s.mix.c.id).where(*visible(conn, viewer, s.mix)))]


def is_one_of(column: Any, keys: Sequence[int]) -> Condition:
    """Condition that an integer key is in a list of any length."""
    found: Condition = column.in_(bindparam(None, [int(k) for k in keys], expanding=True, literal_execute=True))
    return found


def keys_of(conn: Connection, table: Any, codes: Sequence[str], what: str, label: str = "code") -> list[int]:
    """Internal keys of records by code, in the order given.

    Raises
    ------
    UnknownNameError
        Naming the first that does not exist.
    """
    column = table.c[label]
    found: dict[str, int] = {}
    for start in range(0, len(codes), _CHUNK):
        rows = conn.execute(select(column, table.c.id).where(column.in_(codes[start : start + _CHUNK])))
        found.update((row[0], row[1]) for row in rows)
    missing = [c for c in codes if c not in found]
    if missing:
        known = [row[0] for row in conn.execute(select(column).limit(20_000))]
        told = say(f"error.there_is_no+error.kind_{what}+error.named", label=missing[0])
        if len(missing) > 1:
            told += say("error.and_more", more=len(missing) - 1)
        raise UnknownNameError(told + near(missing[0], known))
    return [found[c] for c in codes]


def of_source(conn: Connection, source: Codes) -> Condition:
    """Condition that a sample came from a source, itself or through the samples it was made from."""
    keys = keys_of(conn, s.source, listed(source) or [], "source")
    first, child = s.sample, s.sample.alias("child")
    family = select(first.c.id).where(is_one_of(first.c.source_id, keys)).cte("family", recursive=True)
    family = family.union(
        select(child.c.id).where(child.c.parent_id == family.c.id, child.c.source_id.is_(None))
    )  # a portion that states a source of its own has that one
    return s.sample.c.id.in_(select(family.c.id))


def with_words(entity: str, key: Any, text: str) -> Condition:
    """Condition that every word of `text` occurs in what is searched for of a record."""
    where = [s.search_text.c.entity == entity, *(like(word) for word in text.lower().split())]
    return and_(key.in_(select(s.search_text.c.entity_id).where(*where)))


def like(word: str) -> Condition:
    """Condition that a word occurs in the searched text, its ``%`` and ``_`` taken as they are."""
    escaped = word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return s.search_text.c.text.like(f"%{escaped}%", escape="\\")


def sample_conditions(
    conn: Connection,
    *,
    waste_class: str | None = None,
    source: Codes = None,
    codes: Codes = None,
    collected_from: str | None = None,
    collected_to: str | None = None,
    text: str | None = None,
    viewer: str | None = None,
) -> list[Condition]:
    """Conditions on the table of samples; see `query.samples`."""
    table = s.sample
    out: list[Condition] = []
    if waste_class is not None:
        out.append(table.c.waste_class == _class(waste_class))
    if source is not None:
        out.append(of_source(conn, source))
    names = listed(codes)
    if names is not None:
        out.append(is_one_of(table.c.id, keys_of(conn, table, names, "sample")))
    out += window(conn, table.c.collected_at, collected_from, collected_to, "collected")
    if text is not None:
        out.append(with_words("sample", table.c.id, text))
    return out + visible(conn, viewer, table)


def _targets(conn: Connection, sample: Codes, mix: Codes, specimen: Codes) -> list[Condition]:
    """Condition that a measurement was made on one of the named things."""
    m = s.measurement
    given = (("sample", sample, m.c.sample_id), ("mix", mix, m.c.mix_id), ("specimen", specimen, m.c.specimen_id))
    any_of = [
        is_one_of(column, keys_of(conn, ENTITIES[name].table, names, name))
        for name, codes, column in given
        if (names := listed(codes)) is not None
    ]
    return [or_(*any_of)] if any_of else []


def measurement_conditions(
    conn: Connection,
    *,
    sample: Codes,
    mix: Codes,
    specimen: Codes,
    waste_class: str | None,
    source: Codes,
    technique: Codes,
    method: str | None,
    status: str | Sequence[str] | None,
    verified_only: bool,
    date_from: str | None,
    date_to: str | None,
    operator: Codes,
    flags: Codes,
    viewer: str | None,
) -> list[Condition]:
    m = s.measurement
    where = [with_status(status, verified_only), *_targets(conn, sample, mix, specimen)]
    chosen = sample_conditions(conn, waste_class=waste_class, source=source)
    if chosen:
        where.append(m.c.sample_id.in_(select(s.sample.c.id).where(*chosen)))
    names = techniques(technique)
    if names is not None:
        where.append(m.c.technique.in_(names))
    if method is not None:
        where.append(m.c.method == _known(conn, m.c.method, [method], "method")[0])
    names = listed(operator)
    if names is not None:
        where.append(m.c.operator.in_(_known(conn, m.c.operator, names, "operator")))
    where += [m.c.flags.contains(f'"{flag}"', autoescape=True) for flag in listed(flags) or ()]
    where += window(conn, m.c.measured_at, date_from, date_to, "date")
    return where + measurement_visible(conn, viewer)


def _known(conn: Connection, column: Any, names: Sequence[str], what: str) -> Sequence[str]:
    """Names that occur in a column.

    Raises
    ------
    UnknownNameError
    """
    for name in names:
        if conn.execute(select(literal(1)).where(column == name).limit(1)).first() is None:
            known = [row[0] for row in conn.execute(select(column).distinct().limit(20_000)) if row[0]]
            raise UnknownNameError(f"No measurement has the {what} {name!r}.{suggest(name, known)}")
    return names


_class = waste_class  # the parameters above carry the same name


def sources_of(conn: Connection, rows: Iterable[tuple[int, int | None, int | None]]) -> dict[int, int]:
    """Source of each sample that has one, its own or that of the sample it was made from.

    Parameters
    ----------
    conn : Connection
    rows : iterable of (key, source key or None, parent key or None)
    """
    table = s.sample
    links: dict[int, tuple[int | None, int | None]] = {}
    asked: list[int] = []
    for key, source, parent in rows:
        asked.append(key)
        links[key] = (source, parent)
    missing = {p for x, p in links.values() if x is None and p is not None and p not in links}
    while missing:
        wanted = sorted(missing)
        missing = set()
        for start in range(0, len(wanted), _CHUNK):
            query = select(table.c.id, table.c.source_id, table.c.parent_id)
            for key, source, parent in fetch(conn, query.where(is_one_of(table.c.id, wanted[start : start + _CHUNK]))):
                links[key] = (source, parent)
                if source is None and parent is not None:
                    missing.add(parent)
        missing -= links.keys()
    out: dict[int, int] = {}
    for key in asked:
        seen: set[int] = set()
        at: int | None = key
        while at is not None and at not in seen:
            seen.add(at)
            source, parent = links.get(at, (None, None))
            if source is not None:
                out[key] = source
                break
            at = parent
    return out


def limited(limit: int | None) -> int | None:
    """A largest number of rows, checked."""
    if limit is not None and limit < 1:
        raise LabError(f"limit = {limit}: expected 1 or more.")
    return limit


def labels(conn: Connection, table: Any, label: str = "code") -> dict[int, str]:
    """Code or name of every record of a (small) table by internal key."""
    return {row[0]: row[1] for row in conn.execute(select(table.c.id, table.c[label]))}


def fetch(conn: Connection, query: Any) -> list[tuple[Any, ...]]:
    """All rows as plain tuples of the driver, without the cost of row objects; for long numeric results."""
    cursor: Any = conn.execute(query).cursor
    found: list[tuple[Any, ...]] = cursor.fetchall()
    return found

"""What is registered, searched for and recorded: tables of records, full-text search, history of a record."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Integer, and_, or_, select
from sqlalchemy import Double as SqlDouble

from ..errors import LabError, UnknownNameError, suggest
from ..instruments import vocabulary
from . import filters as f
from . import frames as fr
from . import schema as s
from .entities import ENTITIES, Entity, key_of
from .store import Store, find_uid

if TYPE_CHECKING:
    import pandas as pd


def table(store: Store, entity: str) -> pd.DataFrame:
    """Everything registered of one kind.

    Parameters
    ----------
    store : Store
    entity : str
        ``"source"``, ``"sample"``, ``"mix"``, ``"component"`` (what mixes are made of), ``"specimen"``,
        ``"instrument"``, ``"calibration"``, ``"person"``, ``"reference_material"``, ``"reference_value"`` …

    Returns
    -------
    pandas.DataFrame
        Every column; references are codes or names. The index is the code or name where that is unique, else the uid.

    Raises
    ------
    UnknownNameError
        If there is no such kind.
    """
    import pandas as pd

    kinds = {"component": s.mix_component, "reference_value": s.reference_value}
    if entity not in ENTITIES and entity not in kinds:
        known = sorted((*ENTITIES, *kinds))
        raise UnknownNameError(f"There is no kind {entity!r}.{suggest(entity, known)} Kinds: {', '.join(known)}.")
    kind = ENTITIES.get(entity)
    body = kind.table if kind else kinds[entity]
    with store.read() as conn:
        cells = [c for c in body.columns if c.name != "id"]
        rows = f.fetch(conn, select(*cells).order_by(*body.primary_key.columns))
        columns = list(zip(*rows, strict=True)) if rows else [()] * len(cells)
        data: dict[str, Any] = {}
        for column, items in zip(cells, columns, strict=True):
            target = next(iter(column.foreign_keys), None)
            if target is not None and isinstance(column.type, Integer):
                name, label = _referred(kind, column.name, target.column.table.name)
                shown = fr.codes(conn, s.metadata.tables[name], {k for k in items if k is not None}, label)
                data[key_of(column.name)] = fr.texts([shown[k] if k is not None else "" for k in items])
            elif isinstance(column.type, SqlDouble):
                data[column.name] = fr.numbers(items)
            elif isinstance(column.type, Integer):
                data[column.name] = fr.integers(items)
            else:
                data[column.name] = fr.texts(items)
    index = None
    if kind is not None:
        label = kind.label if body.c[kind.label].unique else "uid"
        index = pd.Index(data.pop(label), name=label)
    return pd.DataFrame(data, index=index)


def _referred(kind: Entity | None, column: str, table_name: str) -> tuple[str, str]:
    """Table that a column points to, and the column people know its records by."""
    if table_name == "quantity":
        return table_name, "name"
    target = ENTITIES[table_name]
    unique = target.table.c[target.label].unique or target.name == "calibration"
    return table_name, target.label if unique else "uid"


def search(
    store: Store, text: str, *, limit: int = 100, entity: f.Codes = None, viewer: str | None = None
) -> pd.DataFrame:
    """Records in whose texts every word occurs, in any language and case; ``"赤泥"`` also finds ``red_mud``.

    Parameters
    ----------
    store : Store
    text : str
        Words separated by blanks; ``%`` and ``_`` stand for themselves.
    limit : int
    entity : str or sequence of str, optional
        Kinds of record: ``"sample"``, ``"source"``, ``"mix"``, ``"specimen"``, ``"measurement"`` …
    viewer : str, optional
        Only what this registered person may see.

    Returns
    -------
    pandas.DataFrame
        ``entity``, ``code`` (uid for measurements), ``snippet`` around the first word.

    Raises
    ------
    LabError
        If there is no word.
    """
    import pandas as pd

    f.limited(limit)
    words = text.lower().split()
    if not words:
        raise LabError("Nothing to search for; give at least one word.")
    meant = [{word, vocabulary.waste_class(word)} - {""} for word in words]  # the class itself, where a word names one
    kinds = [e for e in ENTITIES.values() if e.search]
    names = f.listed(entity)
    for name in names or ():
        if name not in [e.name for e in kinds]:
            raise UnknownNameError(f"Nothing is searched in {name!r}.{suggest(name, [e.name for e in kinds])}")
    found: list[tuple[str, str, str]] = []
    with store.read() as conn:
        for kind in kinds:
            if len(found) >= limit or (names is not None and kind.name not in names):
                continue
            label = kind.label if kind.table.c[kind.label].unique else "uid"
            where: list[ColumnElement[bool]] = [
                s.search_text.c.entity == kind.name, *(or_(*(f.like(w) for w in alike)) for alike in meant),
                *_seen(conn, viewer, kind),
            ]  # fmt: skip
            query = (
                select(kind.table.c[label], s.search_text.c.text)
                .select_from(s.search_text.join(kind.table, s.search_text.c.entity_id == kind.table.c.id))
                .where(and_(*where))
                .order_by(s.search_text.c.entity_id)
                .limit(limit - len(found))
            )
            found += [(kind.name, row[0], _snippet(row[1], meant[0])) for row in conn.execute(query)]
    columns = list(zip(*found, strict=True)) if found else [(), (), ()]
    return pd.DataFrame({n: fr.texts(c) for n, c in zip(("entity", "code", "snippet"), columns, strict=True)})


def _seen(conn: Connection, viewer: str | None, kind: Entity) -> list[f.Condition]:
    """Condition that a person may see records of a kind, as every other question applies it.

    A measurement is hidden with what it was made on, a specimen with its mix; kinds without visibility are everybody's.
    """
    if kind.name == "measurement":
        return f.measurement_visible(conn, viewer)
    if kind.name == "specimen":
        return f.specimen_visible(conn, viewer)
    if viewer is None:
        return []
    return f.visible(conn, viewer, *([kind.table] if "visibility" in kind.table.c else []))


def _snippet(text: str, words: Iterable[str], size: int = 60) -> str:
    flat = text.replace("\n", " · ")
    at = min((i for w in words if (i := flat.find(w)) >= 0), default=0)
    start = max(at - size // 3, 0)
    return ("…" if start else "") + flat[start : start + size] + ("…" if start + size < len(flat) else "")


def history(store: Store, entity: str, label: str) -> pd.DataFrame:
    """Every audit event that touched a record.

    Parameters
    ----------
    store : Store
    entity : str
    label : str
        Code or name, or uid; measurements, uploads, attachments are named by their uid.

    Returns
    -------
    pandas.DataFrame
        Index ``seq``: ``at`` (UTC), ``actor``, ``action``, ``change``, ``reason``, ``detail`` (what changed from what
        to what, as JSON), ``hash`` of the event.

    Raises
    ------
    UnknownNameError
        If there is no such record.
    """
    import pandas as pd

    kind = ENTITIES.get(entity)
    if kind is None:
        raise UnknownNameError(f"There is no kind {entity!r}.{suggest(entity, ENTITIES)} Kinds: {', '.join(ENTITIES)}.")
    items, events = s.audit_item, s.audit_event
    with store.read() as conn:
        if kind.table.c[kind.label].unique:
            uid = find_uid(conn, entity, label)
        else:
            uid = label
            if conn.execute(select(kind.table.c.id).where(kind.table.c.uid == uid)).first() is None:
                raise UnknownNameError(f"There is no {entity} with uid {label!r} in this laboratory.")
        names = ("at", "actor", "action", "change", "reason", "detail", "hash")
        query = (
            select(events.c.seq, events.c.at, events.c.actor, events.c.action, items.c.change, events.c.reason,
                   items.c.detail, events.c.hash)
            .select_from(items.join(events, items.c.seq == events.c.seq))
            .where(items.c.entity == entity, items.c.uid == uid)
            .order_by(events.c.seq, items.c.ordinal)
        )  # fmt: skip
        rows = f.fetch(conn, query)
    columns = list(zip(*rows, strict=True)) if rows else [()] * 8
    return pd.DataFrame(
        {n: fr.texts(c) for n, c in zip(names, columns[1:], strict=True)},
        index=pd.Index(fr.integers(columns[0]), name="seq"),
    )

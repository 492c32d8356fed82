"""Tables of what is in the laboratory: samples, measurements, values, everything registered, search and history.

Every table has the same columns and types whether it is empty or not. Texts that are not known are empty, numbers NaN.
Retracted measurements are left out unless asked for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, case, func, select

from ..instruments import vocabulary
from . import filters as f
from . import frames as fr
from . import schema as s
from .records import history, search, table
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["history", "measurements", "samples", "search", "table", "values"]

_SAMPLE_TEXTS = ("uid", "waste_class", "name", "name_zh", "process", "collected_at", "received_at", "collected_by",
                 "location", "disposed_at", "visibility", "grp", "licence", "note", "created_at")  # fmt: skip


def samples(
    store: Store,
    *,
    waste_class: str | None = None,
    source: f.Codes = None,
    collected_from: str | None = None,
    collected_to: str | None = None,
    text: str | None = None,
    codes: f.Codes = None,
    viewer: str | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Table of samples.

    Parameters
    ----------
    store : Store
    waste_class : str, optional
        ``"red_mud"`` or ``"赤泥"``.
    source : str or sequence of str, optional
        Codes of heaps; samples made from a heap's samples belong to it.
    collected_from, collected_to : str, optional
        First and last date of collection, e.g. ``"2026-01"``; both ends included.
    text : str, optional
        Words that must all occur in code, names, class, process, location or note.
    codes : str or sequence of str, optional
    viewer : str, optional
        Only what this registered person may see.
    limit : int, optional
        At most so many, in the order they were registered.

    Returns
    -------
    pandas.DataFrame
        Index ``code``. ``source`` is the sample's own or that of the sample it was made from; ``n_measurements``
        and ``techniques`` (separated by blanks) do not count what is retracted; ``mass_kg`` [kg].

    Raises
    ------
    UnknownNameError
        If a class, source, code or person does not exist.
    """
    import pandas as pd

    table = s.sample
    with store.read() as conn:
        where = f.sample_conditions(
            conn, waste_class=waste_class, source=source, codes=codes, collected_from=collected_from,
            collected_to=collected_to, text=text, viewer=viewer,
        )  # fmt: skip
        names = ("id", "code", "source_id", "parent_id", "mass_kg", *_SAMPLE_TEXTS)
        query = select(*(table.c[n] for n in names)).where(*where).order_by(table.c.id).limit(f.limited(limit))
        rows = f.fetch(conn, query)
        columns = fr.columns(names, rows)
        keys = list(columns["id"])
        sources = f.labels(conn, s.source)
        origin = f.sources_of(conn, zip(keys, columns["source_id"], columns["parent_id"], strict=True))
        parents = fr.codes(conn, table, {p for p in columns["parent_id"] if p is not None})
        number, found = _measured(conn, keys, f.visible(conn, viewer, s.measurement))
    data: dict[str, Any] = {n: fr.texts(columns[n]) for n in _SAMPLE_TEXTS[:4]}
    data["source"] = fr.texts([sources[origin[k]] if k in origin else "" for k in keys])
    data["parent"] = fr.texts([parents[p] if p is not None else "" for p in columns["parent_id"]])
    data |= {n: fr.texts(columns[n]) for n in _SAMPLE_TEXTS[4:]}
    data["mass_kg"] = fr.numbers(columns["mass_kg"])
    data["n_measurements"] = fr.integers([number.get(k, 0) for k in keys])
    data["techniques"] = fr.texts([" ".join(sorted(found.get(k, ()))) for k in keys])
    data["uid"] = data.pop("uid")
    return pd.DataFrame(data, index=fr.index(columns["code"], "code"))


def _measured(
    conn: Connection, keys: Sequence[int], seen: Sequence[f.Condition]
) -> tuple[dict[int, int], dict[int, set[str]]]:
    """Number of measurements and techniques of each sample."""
    m = s.measurement
    query = select(m.c.sample_id, m.c.technique, func.count()).where(m.c.sample_id.is_not(None), f.with_status(), *seen)
    query = query.group_by(m.c.sample_id, m.c.technique)
    number: dict[int, int] = {}
    found: dict[int, set[str]] = {}
    every = len(keys) > 20 * fr.CHUNK
    for start in range(0, 1 if every else len(keys), fr.CHUNK):
        part = query if every else query.where(f.is_one_of(m.c.sample_id, keys[start : start + fr.CHUNK]))
        for key, technique, times in f.fetch(conn, part):
            number[key] = number.get(key, 0) + times
            found.setdefault(key, set()).add(technique)
    return number, found


_TARGET = case(
    (s.measurement.c.sample_id.is_not(None), "sample"), (s.measurement.c.mix_id.is_not(None), "mix"), else_="specimen"
)
_CODE = func.coalesce(s.sample.c.code, s.mix.c.code, s.specimen.c.code)
_MEASUREMENT_TEXTS = ("technique", "method", "operator", "checked_by", "checked_at", "measured_at", "status", "basis",
                      "completeness", "flags", "place", "reader", "visibility", "grp", "licence", "note",
                      "created_at")  # fmt: skip


def measurements(
    store: Store,
    *,
    sample: f.Codes = None,
    mix: f.Codes = None,
    specimen: f.Codes = None,
    waste_class: str | None = None,
    source: f.Codes = None,
    technique: f.Codes = None,
    method: str | None = None,
    status: str | Sequence[str] | None = None,
    verified_only: bool = False,
    date_from: str | None = None,
    date_to: str | None = None,
    operator: f.Codes = None,
    flags: f.Codes = None,
    viewer: str | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Table of measurements.

    Parameters
    ----------
    store : Store
    sample, mix, specimen : str or sequence of str, optional
        Codes of what was measured.
    waste_class, source : str, optional
        Of the sample.
    technique, method : str, optional
    status : str or sequence of str, optional
        ``"draft"`` and ``"verified"`` by default; ``"retracted"``, or ``"all"``.
    verified_only : bool
    date_from, date_to : str, optional
        First and last date of measurement, both included.
    operator : str or sequence of str, optional
    flags : str or sequence of str, optional
        Gates that left a warning with the measurement.
    viewer : str, optional
        Only what this registered person may see.
    limit : int, optional

    Returns
    -------
    pandas.DataFrame
        Index ``measurement`` (uid); what it was made on (``target_kind``, ``target``), how, when, by whom, its
        status, number of values, hash and name of the raw file, hash of the curve (empty if none).

    Raises
    ------
    UnknownNameError
        If something named does not exist.
    """
    import pandas as pd

    m = s.measurement
    with store.read() as conn:
        where = f.measurement_conditions(
            conn, sample=sample, mix=mix, specimen=specimen, waste_class=waste_class, source=source,
            technique=technique, method=method, status=status, verified_only=verified_only, date_from=date_from,
            date_to=date_to, operator=operator, flags=flags, viewer=viewer,
        )  # fmt: skip
        old = m.alias("old")
        number = select(func.count()).where(s.value.c.measurement_id == m.c.id).scalar_subquery()
        cells: list[Any] = [
            m.c.uid, _TARGET, _CODE, *(m.c[n] for n in _MEASUREMENT_TEXTS), s.instrument.c.code,
            s.calibration.c.certificate, old.c.uid, m.c.raw_sha, s.raw.c.filename, m.c.curve_sha, m.c.age_days,
            m.c.replicate, number,
        ]  # fmt: skip
        joined = (
            _with_target(m)
            .outerjoin(s.instrument, m.c.instrument_id == s.instrument.c.id)
            .outerjoin(s.calibration, m.c.calibration_id == s.calibration.c.id)
            .outerjoin(old, m.c.supersedes_id == old.c.id)
            .outerjoin(s.raw, m.c.raw_sha == s.raw.c.sha256)
        )
        rows = f.fetch(conn, select(*cells).select_from(joined).where(*where).order_by(m.c.id).limit(f.limited(limit)))
    texts = ("target_kind", "target", *_MEASUREMENT_TEXTS, "instrument", "calibration", "supersedes", "raw_sha",
             "file", "curve_sha")  # fmt: skip
    names = ("uid", *texts, "age_days", "replicate", "n_values")
    columns = fr.columns(names, rows)
    data = {n: fr.texts(columns[n]) for n in texts}
    data["age_days"] = fr.numbers(columns["age_days"])
    data["replicate"] = fr.integers(columns["replicate"])
    data["n_values"] = fr.integers(columns["n_values"])
    return pd.DataFrame(data, index=fr.index(columns["uid"], "measurement"))


def _with_target(m: Any) -> Any:
    return (
        m.outerjoin(s.sample, m.c.sample_id == s.sample.c.id)
        .outerjoin(s.mix, m.c.mix_id == s.mix.c.id)
        .outerjoin(s.specimen, m.c.specimen_id == s.specimen.c.id)
    )


def values(
    store: Store,
    *,
    quantity: f.Codes = None,
    sample: f.Codes = None,
    mix: f.Codes = None,
    specimen: f.Codes = None,
    waste_class: str | None = None,
    source: f.Codes = None,
    technique: f.Codes = None,
    method: str | None = None,
    status: str | Sequence[str] | None = None,
    verified_only: bool = False,
    date_from: str | None = None,
    date_to: str | None = None,
    operator: f.Codes = None,
    flags: f.Codes = None,
    viewer: str | None = None,
    limit: int | None = None,
) -> pd.DataFrame:
    """Long table of values, one row each, as they are stored.

    Parameters
    ----------
    store : Store
    quantity : str or sequence of str, optional
        Names of the vocabulary, or words for them (``"烧失量"``).
    sample, mix, specimen, waste_class, source, technique, method, status, verified_only, date_from, date_to, \
operator, flags, viewer
        See `measurements`.
    limit : int, optional
        At most so many values.

    Returns
    -------
    pandas.DataFrame
        ``value`` is NaN where nothing was detected (``flag`` then says ``below_detection``, `lod` how low was looked);
        ``sigma`` is the standard uncertainty; ``k`` the coverage factor that its source stated; ``basis`` is empty
        where nobody said.

    Raises
    ------
    UnknownNameError
        If something named does not exist.
    """
    import pandas as pd

    m, v = s.measurement, s.value
    with store.read() as conn:
        where = f.measurement_conditions(
            conn, sample=sample, mix=mix, specimen=specimen, waste_class=waste_class, source=source,
            technique=technique, method=method, status=status, verified_only=verified_only, date_from=date_from,
            date_to=date_to, operator=operator, flags=flags, viewer=viewer,
        )  # fmt: skip
        quantities = {row[0]: (row[1], row[2]) for row in conn.execute(select(s.quantity))}
        wanted = _quantities(quantities, f.listed(quantity))
        query = select(
            v.c.measurement_id, v.c.quantity_id, v.c.value, v.c.sigma, v.c.k, v.c.lod, v.c.flag, v.c.basis, v.c.text,
            v.c.place,
        ).where(v.c.measurement_id.in_(select(m.c.id).where(*where)))  # fmt: skip
        if wanted is not None:
            query = query.where(f.is_one_of(v.c.quantity_id, wanted))
        rows = f.fetch(conn, query.order_by(v.c.measurement_id, v.c.ordinal).limit(f.limited(limit)))
        owners = _owners(conn, {row[0] for row in rows})
    names = ("measurement", "quantity", "value", "sigma", "k", "lod", "flag", "basis", "text", "place")
    columns = fr.columns(names, rows)
    told = fr.columns(_OWNER, [owners[key] for key in columns["measurement"]])
    data: dict[str, Any] = {n: fr.texts(told[n]) for n in _OWNER[:5]}
    data["quantity"] = fr.texts([quantities[q][0] for q in columns["quantity"]])
    data["value"] = fr.numbers(columns["value"])
    data["unit"] = fr.texts([quantities[q][1] for q in columns["quantity"]])
    data |= {n: fr.numbers(columns[n]) for n in ("sigma", "k", "lod")}
    data["flag"] = fr.texts([s.FLAGS[n] for n in columns["flag"]])
    data["basis"] = fr.texts([s.BASES[n] for n in columns["basis"]])
    data |= {n: fr.texts(columns[n]) for n in ("text", "place")}
    data |= {n: fr.texts(told[n]) for n in ("measured_at", "operator")}
    data["replicate"] = fr.integers(told["replicate"])
    data["age_days"] = fr.numbers(told["age_days"])
    data |= {n: fr.texts(told[n]) for n in ("status", "measurement")}
    return pd.DataFrame(data)


def _owners(conn: Connection, keys: set[int]) -> dict[int, tuple[Any, ...]]:
    """What `_OWNER` names of each measurement, by internal key."""
    m = s.measurement
    query = select(
        m.c.id, _TARGET, _CODE, s.sample.c.waste_class, m.c.technique, m.c.method, m.c.measured_at, m.c.operator,
        m.c.replicate, m.c.age_days, m.c.status, m.c.uid,
    ).select_from(_with_target(m))  # fmt: skip
    out: dict[int, tuple[Any, ...]] = {}
    wanted = sorted(keys)
    for start in range(0, len(wanted), fr.CHUNK):
        part = query.where(f.is_one_of(m.c.id, wanted[start : start + fr.CHUNK]))
        out.update((row[0], row[1:]) for row in f.fetch(conn, part))
    return out


_OWNER = ("target_kind", "target", "waste_class", "technique", "method", "measured_at", "operator", "replicate",
          "age_days", "status", "measurement")  # fmt: skip


def _quantities(known: Mapping[int, tuple[str, str]], names: Sequence[str] | None) -> list[int] | None:
    """Internal keys of quantities by name or word."""
    if names is None:
        return None
    out: list[int] = []
    for name in names:
        keys = [k for k, (n, _) in known.items() if n == name]
        if not keys:
            term = vocabulary.find(name) or vocabulary.term(name)  # raises if it is none
            keys = [k for k, (n, _) in known.items() if n == term.name]
        out += keys
    return out

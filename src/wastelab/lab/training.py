"""Tables to fit property models to: one row a mix, age and method, with what was known before the mix was made.

The features come from `mix_features`, which looks at the components alone; nothing measured on the mix or its
specimens but the target is in the table. Groups say what must not be torn apart between training and test.
"""

from __future__ import annotations

import hashlib
import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, or_, select

from ..errors import LabError, UnknownNameError, suggest
from ..instruments import vocabulary
from ..instruments.units import factor
from ..units import parse
from . import contents as c
from . import filters as f
from . import frames as fr
from . import mix_features as mf
from . import schema as s
from .options import age_days
from .store import Store

if TYPE_CHECKING:
    import pandas as pd

#: Labels of groups that are kept together in validation.
GROUP_COLUMNS = ("group_mix", "group_source", "group_operator", "group_month")
_TEXTS = ("technique", "method", "geometry", "curing", "basis")
_AGED = re.compile(r"(.+)_(\d+(?:\.\d+)?)([dh])")


def training_table(
    store: Store,
    target: str,
    *,
    age: str | float | None = None,
    method: str | None = None,
    technique: f.Codes = None,
    min_replicates: int = 1,
    features: str | Sequence[str] = "default",
    status: str | Sequence[str] | None = None,
    verified_only: bool = False,
    viewer: str | None = None,
) -> pd.DataFrame:
    """Mixes and features for a property model, with group labels and provenance.

    Parameters
    ----------
    store : Store
    target : str
        A quantity measured on specimens or mixes, by name or word: ``"compressive_strength"``, ``"抗压强度"``,
        ``"compressive_strength_28d"``. Values stored with an age of their own (``age_days``) and under a name with an
        age are the same.
    age : str or float, optional
        ``"28 d"``, ``"24 h"``, ``"4 weeks"``, or a number of days; all ages by default, those without one too.
    method : str, optional
    technique : str or sequence of str, optional
    min_replicates : int
        Rows with fewer values are left out.
    features : str or sequence of str
        ``"default"`` for all, or some of ``"recipe"``, ``"composition"``, ``"particles"``, ``"curing"``.
    status, verified_only
        Of the target and of what features are made of; see `query.measurements`. Retracted results are never used.
    viewer : str, optional
        Only what this registered person may see.

    Returns
    -------
    pandas.DataFrame
        One row a mix, age, technique and method; specimens of another geometry or curing are rows of their own, as
        results of different methods are: they are not replicates. Columns:

        ``mix``, ``age_days``, ``technique``, ``method``, ``geometry``, ``curing``, ``basis`` (of contents only);
        the target under its name (mean of all values), ``y_sd`` (sample standard deviation, NaN of one value),
        ``y_n``; then the features; ``group_mix`` (mixes of one recipe are one group, named by the first code: a
        repeated batch must not stand on both sides of a split), ``group_source`` (heaps of all components),
        ``group_operator`` and ``group_month`` (of the tests, or of the mixing where not known); ``measurements``:
        uids of the target's measurements, separated by blanks.

        Features: ``fraction_CLASS`` of the dry binder [kg/kg]; ``amount_ROLE`` of all else [kg per kg of dry binder];
        ``water_binder``; ``binder_OXIDE`` [wt% dry] by XRF, ``composition_known`` (mass share of the binder with an
        analysis); ``activator_OXIDE`` that the activators bring [kg per 100 kg of dry binder];
        ``binder_density`` [g/cm3] (volumes add), ``binder_blaine`` [m2/kg], ``binder_bet`` [m2/g] and ``binder_d50``
        [um] (means by mass); ``curing_temperature`` (mean over time) and ``curing_temperature_max`` [degC],
        ``curing_humidity`` [%], ``curing_days``. What one component lacks is NaN; below detection counts as half
        the limit.

        ``attrs``: target, unit, age, versions, audit head, SHA-256 (see `table_hash`), names of the features and
        groups, and how many values were left out and why (``excluded``).

    Raises
    ------
    UnknownNameError
        If the target, method, technique, group of features or person does not exist.
    LabError
        If the age contradicts the target's name, or retracted results are asked for.

    Notes
    -----
    An age within the tolerance that ISO 679 gives for the time of testing (about 1.2 %, at most 8 h) is taken as
    that number of whole days.
    """
    if min_replicates < 1:
        raise LabError(f"min_replicates = {min_replicates}: expected 1 or more.")
    groups = _groups(features)
    statuses = f.statuses(status, verified_only)
    if "retracted" in statuses:
        raise LabError(f"status = {status!r}: no model is trained on retracted results; leave 'retracted' out.")
    with f.snapshot(store) as now, now.read() as conn:
        wanted = _target(conn, target, age)
        excluded: Counter[str] = Counter()
        cells = _cells(conn, wanted, excluded, technique, method, statuses, viewer)
        few = [key for key, cell in cells.items() if len(cell.values) < min_replicates]
        excluded["rows_with_few_replicates"] = len(few)
        for key in few:
            del cells[key]
        measured = [f.with_status(statuses), *f.visible(conn, viewer, s.measurement)]
        mixes = mf.load(conn, [key[0] for key in cells], measured, f.visible(conn, viewer, s.sample))
        head, facts = c.newest_head(conn), store.meta(conn)
    frame, unread = _frame(wanted, cells, mixes, groups)
    frame.attrs.update(_attrs(wanted, groups, statuses, excluded, mixes, unread, head, facts))
    frame.attrs["sha256"] = table_hash(frame)
    return frame


def table_hash(frame: pd.DataFrame) -> str:
    """SHA-256 of a table: of its CSV text in UTF-8 with heading, without index, lines ended by LF."""
    text: str = frame.to_csv(index=False, lineterminator="\n")
    return hashlib.sha256(text.encode()).hexdigest()


def nominal_age(days: float) -> float:
    """The whole number of days that an age stands for, if it is within the tolerance of testing; else the age."""
    whole = float(round(days))
    return whole if whole >= 1 and abs(days - whole) <= min(0.012 * whole, 1.0 / 3.0) + 1e-12 else days


def _groups(given: str | Sequence[str]) -> tuple[str, ...]:
    names = mf.GROUPS if given == "default" else tuple(f.listed(given) or ())
    for name in names:
        if name not in mf.GROUPS:
            raise UnknownNameError(
                f"There is no group of features {name!r}.{suggest(name, mf.GROUPS)} Groups: {', '.join(mf.GROUPS)}."
            )
    return tuple(name for name in mf.GROUPS if name in names)


# -- the target
@dataclass(frozen=True)
class _Target:
    """What is looked for: name, unit, age [d], and the stored quantities that are it with factor and own age [d]."""

    name: str
    unit: str
    age: float | None
    keys: dict[int, tuple[float, float | None]]


def _target(conn: Connection, target: str, age: str | float | None) -> _Target:
    stored = {row[0]: (row[1], row[2]) for row in conn.execute(select(s.quantity))}
    if any(name == target for name, _ in stored.values()):
        name, unit = target, next(u for n, u in stored.values() if n == target)
    else:
        term = vocabulary.find(target) or vocabulary.term(target)  # raises if it is none
        name, unit = term.name, term.unit
    base, own = _without_age(name)
    days = None if age is None else nominal_age(_days(age))
    if own is not None and days is not None and days != own:
        raise LabError(
            f"{target!r} is a value at {own:g} d; it has no age of {days:g} d. Ask for {base!r}, age={age!r}."
        )
    keys = {}
    for key, (found, of) in stored.items():
        stem, at = _without_age(found)
        if stem == base:
            keys[key] = (factor(of, unit), at)
    return _Target(name, unit, own if days is None else days, keys)


def _without_age(name: str) -> tuple[str, float | None]:
    """``"compressive_strength_28d"`` as name and age [d]."""
    match = _AGED.fullmatch(name)
    if match is None:
        return name, None
    return match[1], nominal_age(float(match[2]) / (24.0 if match[3] == "h" else 1.0))


def _days(age: str | float) -> float:
    days = age_days(age) if isinstance(age, str) else float(age)
    days = parse(age, "d", what="age") if days is None else days
    if not (math.isfinite(days) and days >= 0):
        raise LabError(f"age = {age!r}: expected 0 d or more.")
    return days


@dataclass
class _Cell:
    """Values of one row, and where they come from."""

    values: list[float] = field(default_factory=list)
    uids: set[str] = field(default_factory=set)
    operators: set[str] = field(default_factory=set)
    dates: set[str] = field(default_factory=set)


#: Mix, age, technique, method, geometry, curing, basis.
_Key = tuple[int, float | None, str, str, str, str, str]


def _cells(
    conn: Connection,
    target: _Target,
    excluded: Counter[str],
    technique: f.Codes,
    method: str | None,
    statuses: Sequence[str],
    viewer: str | None,
) -> dict[_Key, _Cell]:
    """Values of the target by row; what cannot be used is counted."""
    m, v, specimen = s.measurement, s.value, s.specimen
    where = f.measurement_conditions(
        conn, sample=None, mix=None, specimen=None, waste_class=None, source=None, technique=technique, method=method,
        status=statuses, verified_only=False, date_from=None, date_to=None, operator=None, flags=None, viewer=viewer,
    )  # fmt: skip
    query = (
        select(
            func.coalesce(m.c.mix_id, specimen.c.mix_id), m.c.uid, m.c.technique, m.c.method, m.c.age_days,
            m.c.operator, m.c.measured_at, m.c.basis, specimen.c.geometry, specimen.c.curing, v.c.quantity_id,
            v.c.value, v.c.flag, v.c.basis,
        )
        .select_from(m.join(v, v.c.measurement_id == m.c.id).outerjoin(specimen, specimen.c.id == m.c.specimen_id))
        .where(or_(m.c.mix_id.is_not(None), m.c.specimen_id.is_not(None)), *where)
        .where(f.is_one_of(v.c.quantity_id, list(target.keys)))
        .order_by(m.c.id, v.c.ordinal)
    )  # fmt: skip
    excluded.update(dict.fromkeys(("below_detection", "above_range", "without_age", "contradicting_ages"), 0))
    out: dict[_Key, _Cell] = {}
    for mix, uid, code, how, age, who, when, basis, shape, curing, quantity, number, flag, own in (
        f.fetch(conn, query) if target.keys else ()
    ):
        scale, named = target.keys[quantity]
        days = None if age is None else nominal_age(age)
        if days is not None and named is not None and days != named:
            excluded["contradicting_ages"] += 1
            continue
        days = named if days is None else days
        if target.age is not None and days != target.age:
            excluded["without_age"] += days is None
            continue
        if s.FLAGS[flag] == "below_detection" or number is None:
            excluded["above_range" if s.FLAGS[flag] == "above_range" else "below_detection"] += 1
            continue
        on = (s.BASES[own] or basis) if target.unit in c.CONTENT_UNITS else ""
        cell = out.setdefault((mix, days, code, how, shape or "", curing or "", on), _Cell())
        cell.values.append(number * scale)
        cell.uids.add(uid)
        cell.operators |= {who} - {""}
        cell.dates |= {when[:7]} - {""}
    return out


# -- the table
def _frame(
    target: _Target, cells: dict[_Key, _Cell], mixes: mf.Mixes, groups: Sequence[str]
) -> tuple[pd.DataFrame, int]:
    """The table, and the number of rows whose curing could not be read."""
    import pandas as pd

    rows = sorted(cells, key=lambda k: (mixes.codes[k[0]], math.inf if k[1] is None else k[1], *k[2:]))
    found = [mf.features(mixes, key[0], key[5]) for key in rows]
    means = [math.fsum(cells[key].values) / len(cells[key].values) for key in rows]

    def spread(values: Sequence[float], mean: float) -> float:
        n = len(values)
        return math.sqrt(math.fsum((x - mean) ** 2 for x in values) / (n - 1)) if n > 1 else math.nan

    def joined(items: Iterable[str], other: str = "") -> str:
        return "; ".join(sorted(items)) or other

    data: dict[str, Any] = {
        "mix": fr.texts([mixes.codes[key[0]] for key in rows]),
        "age_days": fr.numbers([math.nan if key[1] is None else key[1] for key in rows]),
    }
    data |= {name: fr.texts([key[n + 2] for key in rows]) for n, name in enumerate(_TEXTS)}
    data[target.name] = fr.numbers(means)
    data["y_sd"] = fr.numbers([spread(cells[key].values, mean) for key, mean in zip(rows, means, strict=True)])
    data["y_n"] = fr.integers([len(cells[key].values) for key in rows])
    for group in groups:
        data |= {name: fr.numbers([row[name] for row in found]) for name in mf.COLUMNS[group]}
    same = mixes.same_recipe()
    data["group_mix"] = fr.texts([same[key[0]] for key in rows])
    data["group_source"] = fr.texts(["; ".join(mixes.sources(key[0])) for key in rows])
    data["group_operator"] = fr.texts([joined(cells[key].operators, mixes.operator[key[0]]) for key in rows])
    months = [min(cells[key].dates, default=mixes.made_at[key[0]][:7]) for key in rows]
    data["group_month"] = fr.texts(months)
    data["measurements"] = fr.texts([" ".join(sorted(cells[key].uids)) for key in rows])
    return pd.DataFrame(data), sum(not mf.read_curing(key[5])[4] for key in rows)


def _attrs(
    target: _Target,
    groups: Sequence[str],
    statuses: Sequence[str],
    excluded: Counter[str],
    mixes: mf.Mixes,
    unread: int,
    head: str,
    facts: dict[str, str],
) -> dict[str, Any]:
    from .. import __version__

    return {
        "target": target.name,
        "unit": target.unit,
        "age": "" if target.age is None else f"{target.age:g} d",
        "features": [*(() if target.age is not None else ("age_days",)), *(n for g in groups for n in mf.COLUMNS[g])],
        "groups": list(GROUP_COLUMNS),
        "status": list(statuses),
        "excluded": dict(excluded),
        "unread_curing": unread,
        "unknown_materials": sorted(mixes.unknown),
        "wastelab": __version__,
        "lab": facts.get("name", ""),
        "lab_uid": facts.get("uid", ""),
        "audit_head": head,
    }

"""Quality control of a laboratory after ISO/IEC 17025: control charts, calibrations, repeatability.

Control charts are for single results (Shewhart, ISO 7870-2) with the four zone rules of the Western Electric Company's
*Statistical Quality Control Handbook* (1956). Retracted and superseded results are never counted.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Select, select

from ..errors import LabError, UnknownNameError
from ..instruments import vocabulary
from . import schema as s
from .register import check_date
from .store import Store, find_uid

if TYPE_CHECKING:
    import pandas as pd

#: Fewer results than this give no limits of their own.
MIN_POINTS = 8
#: Expected range of two results of a normal distribution in its standard deviations (d2 of n = 2).
D2 = 1.128
#: A calibration that ends within so many days is `due`.
NOTICE_DAYS = 30
#: Critical range factors f(n) of ISO 5725-6: n results differ by less than f(n) standard deviations in 95 % of cases.
CRITICAL_RANGE = {2: 2.8, 3: 3.3, 4: 3.6, 5: 3.9, 6: 4.0, 7: 4.2, 8: 4.3, 9: 4.4, 10: 4.5}
CHART_COLUMNS = (
    "date", "sample", "instrument", "operator", "value", "sigma", "certified", "z", "En", "mean", "s", "lower_action",
    "lower_warning", "upper_warning", "upper_action", "rules", "status", "uid",
)  # fmt: skip


_CHART_TEXTS = ("date", "sample", "instrument", "operator", "rules", "status", "uid")


# -- control chart
def control_chart(
    store: Store,
    reference_material: str,
    quantity: str,
    *,
    instrument: str | None = None,
    technique: str | None = None,
    basis: str | None = None,
    since: str | date | None = None,
    until: str | date | None = None,
    baseline: int | None = None,
    spread: Literal["moving_range", "std"] = "moving_range",
) -> pd.DataFrame:
    """Results of a quantity on a reference material in order of date, with limits and broken rules.

    Parameters
    ----------
    store : Store
    reference_material, quantity : str
        Code; name of the vocabulary (``"SiO2"``, ``"二氧化硅"``).
    instrument, technique, basis : str, optional
        Only results of these. Needed where results of several techniques or bases would be mixed.
    since, until : str or date, optional
        Only results of these days and those between.
    baseline : int, optional
        The first so many results set the limits, all later ones are judged by them; all results by default.
    spread : {"moving_range", "std"}
        Standard deviation from the mean moving range over 1.128, which a slow drift does not widen, or of the sample.

    Returns
    -------
    pandas.DataFrame
        One row a result: ``z`` is (value - certified) over the combined standard uncertainty of both, where the result
        states none the chart's standard deviation stands for it; ``En`` the same with expanded uncertainties (k = 2),
        only where both are stated; limits at 2 s (warning) and 3 s (action); ``rules``, numbers of the broken ones:

        1. one result beyond 3 s, 2. two of three beyond 2 s on one side, 3. four of five beyond 1 s on one side,
        4. eight in a row on one side.

        A rule is noted at the result that completes it. ``attrs``: ``certified``, ``certified_sigma``,
        ``certificate``, ``unit``, ``limits`` (``"results"``, ``"certificate"`` where there are fewer than 8 results,
        ``"none"``), ``limits_from`` (how many results set them), ``count``, ``excluded`` (below detection, no number),
        ``mean`` and ``s`` of the limits, ``bias`` (mean of all results - certified).

    Raises
    ------
    LabError
        If results of several techniques or bases would be mixed, or a parameter is wrong.
    UnknownNameError
        If there is no such reference material, instrument or quantity.

    Notes
    -----
    Limits from a certificate alone (certified value ± 2 and 3 of its standard uncertainty) leave the laboratory's own
    spread out and are therefore narrow.
    """
    if spread not in ("moving_range", "std"):
        raise LabError(f"spread = {spread!r} is not 'moving_range' or 'std'.")
    if baseline is not None and baseline < MIN_POINTS:
        raise LabError(f"baseline = {baseline!r}: limits need at least {MIN_POINTS} results.")
    term = vocabulary.find(quantity) or vocabulary.term(quantity)
    with store.read() as conn:
        uid = find_uid(conn, "reference_material", reference_material)
        material = conn.execute(
            select(s.reference_material).where(s.reference_material.c.uid == uid)
        ).mappings().one()  # fmt: skip
        certified, u_certified = _certified(conn, material["id"], term.name)
        rows = _results(conn, material["id"], term.name, instrument, technique)
    rows = [r for r in rows if _within(r["measured_at"] or r["created_at"], since, until)]
    rows = _one_kind(rows, technique, basis, f"{reference_material}, {term.name}")
    excluded = [r for r in rows if r["value"] is None]
    rows = [r for r in rows if r["value"] is not None]
    values = np.array([r["value"] for r in rows], dtype=float)
    mean, sigma, limits = _limits(values, baseline, spread, certified, u_certified)
    broken = western_electric(values, mean, sigma)
    out = []
    for r, rules in zip(rows, broken, strict=True):
        u = r["sigma"] if r["sigma"] is not None else sigma if limits == "results" else math.nan
        stated = r["sigma"] is not None and not math.isnan(u_certified)
        difference = r["value"] - certified
        both = math.hypot(u, u_certified)
        out.append({
            "date": r["measured_at"] or r["created_at"], "sample": r["sample"], "instrument": r["instrument"] or "",
            "operator": r["operator"], "value": r["value"], "sigma": r["sigma"], "certified": certified,
            "z": difference / both if both > 0 else math.nan,
            "En": difference / (2.0 * both) if stated and both > 0 else math.nan,
            "mean": mean, "s": sigma, "lower_action": mean - 3 * sigma, "lower_warning": mean - 2 * sigma,
            "upper_warning": mean + 2 * sigma, "upper_action": mean + 3 * sigma, "rules": rules, "status": r["status"],
            "uid": r["uid"],
        })  # fmt: skip
    frame = _typed(out, CHART_COLUMNS, texts=_CHART_TEXTS)
    frame.attrs |= {
        "reference_material": material["code"], "quantity": term.name, "unit": term.unit, "certified": certified,
        "certified_sigma": u_certified, "certificate": material["certificate"], "supplier": material["supplier"],
        "valid_until": material["valid_until"], "limits": limits, "count": len(rows),
        "limits_from": min(len(rows), baseline or len(rows)) if limits == "results" else 0, "excluded": len(excluded),
        "spread": spread, "s": sigma, "mean": mean,
        "bias": float(values.mean()) - certified if len(values) else math.nan,
    }  # fmt: skip
    return frame


def _typed(
    rows: Sequence[Mapping[str, Any]], columns: Sequence[str], texts: Sequence[str], **others: str
) -> pd.DataFrame:
    """A table of texts, of columns of other types, and of floats, the same whether there are rows or not."""
    import pandas as pd

    frame = pd.DataFrame(rows, columns=list(columns))
    return frame.astype({c: others.get(c, "str" if c in texts else "float64") for c in columns})


def _certified(conn: Connection, material: int, quantity: str) -> tuple[float, float]:
    v, q = s.reference_value, s.quantity
    row = conn.execute(
        select(v.c.value, v.c.sigma).join(q, q.c.id == v.c.quantity_id)
        .where((v.c.reference_material_id == material) & (q.c.name == quantity))
    ).first()  # fmt: skip
    if row is None:
        return math.nan, math.nan
    return float(row[0]), math.nan if row[1] is None else float(row[1])


def _live() -> Any:
    """Condition: neither retracted nor superseded."""
    m, later = s.measurement, s.measurement.alias()
    newer = select(later.c.supersedes_id).where(later.c.supersedes_id.is_not(None))
    return (m.c.status != "retracted") & m.c.id.not_in(newer)


def _results(
    conn: Connection, material: int, quantity: str, instrument: str | None, technique: str | None
) -> list[dict[str, Any]]:
    m, v, q = s.measurement, s.value, s.quantity
    query: Select[Any] = (
        select(m.c.id, m.c.uid, m.c.technique, m.c.operator, m.c.measured_at, m.c.created_at, m.c.status,
               s.sample.c.code.label("sample"), s.instrument.c.code.label("instrument"), v.c.value, v.c.sigma,
               v.c.basis, v.c.flag)
        .join(s.sample, s.sample.c.id == m.c.sample_id)
        .join(v, v.c.measurement_id == m.c.id).join(q, q.c.id == v.c.quantity_id)
        .outerjoin(s.instrument, s.instrument.c.id == m.c.instrument_id)
        .where((s.sample.c.reference_material_id == material) & (q.c.name == quantity) & _live())
    )  # fmt: skip
    if instrument is not None:
        uid = find_uid(conn, "instrument", instrument)
        query = query.where(s.instrument.c.uid == uid)
    if technique is not None:
        query = query.where(m.c.technique == vocabulary.technique(technique).code)
    rows = [dict(r) for r in conn.execute(query).mappings()]
    return sorted(rows, key=lambda r: (r["measured_at"] or r["created_at"], r["id"]))


def _within(at: str, since: str | date | None, until: str | date | None) -> bool:
    first = "" if since is None else check_date(str(since), "since")
    last = "~" if until is None else check_date(str(until), "until") + "~"
    return first <= at <= last


def _one_kind(
    rows: Sequence[dict[str, Any]], technique: str | None, basis: str | None, what: str
) -> list[dict[str, Any]]:
    """Results of one technique on one basis; mixing them would make the spread meaningless."""
    if basis is not None:
        if basis not in s.BASES:
            raise LabError(f"basis = {basis!r} is not one of {', '.join(b for b in s.BASES if b)}.")
        rows = [r for r in rows if s.BASES[r["basis"]] == basis]
    techniques = sorted({r["technique"] for r in rows})
    if technique is None and len(techniques) > 1:
        raise LabError(f"{what}: results of several techniques ({', '.join(techniques)}); say which: technique=….")
    bases = sorted({s.BASES[r["basis"]] or "not stated" for r in rows})
    if basis is None and len(bases) > 1:
        raise LabError(f"{what}: results on several bases ({', '.join(bases)}); say which: basis=….")
    return list(rows)


def _limits(
    values: NDArray[np.float64], baseline: int | None, spread: str, certified: float, u_certified: float
) -> tuple[float, float, str]:
    """Centre line, standard deviation, and where they come from."""
    own = values if baseline is None else values[:baseline]
    if len(own) >= max(MIN_POINTS, baseline or 0):
        sigma = float(own.std(ddof=1)) if spread == "std" else float(np.abs(np.diff(own)).mean()) / D2
        return float(own.mean()), sigma, "results"
    if not math.isnan(u_certified):
        return certified, u_certified, "certificate"
    return certified, math.nan, "none"


def western_electric(values: NDArray[np.float64], mean: float, sigma: float) -> list[str]:
    """Numbers of the zone rules that each result completes, e.g. ``"1, 2"``; empty where none is broken.

    Parameters
    ----------
    values : ndarray, shape (n,)
        In order of time.
    mean, sigma : float
        Centre line and standard deviation; no rule is broken where sigma is not above zero.
    """
    if not sigma > 0:
        return [""] * len(values)
    z = (np.asarray(values, dtype=float) - mean) / sigma
    out = []
    for i in range(len(z)):
        rules = set()
        if abs(z[i]) > 3:
            rules.add(1)
        side = 1.0 if z[i] > 0 else -1.0
        for rule, window, least, beyond in ((2, 3, 2, 2.0), (3, 5, 4, 1.0), (4, 8, 8, 0.0)):
            if side * z[i] > beyond and np.count_nonzero(side * z[max(0, i - window + 1) : i + 1] > beyond) >= least:
                rules.add(rule)
        out.append(", ".join(str(r) for r in sorted(rules)))
    return out


# -- calibrations
def calibration_status(store: Store, at: str | date | None = None) -> pd.DataFrame:
    """State of every instrument's calibration.

    Parameters
    ----------
    store : Store
    at : str or date, optional
        On this day; today by default.

    Returns
    -------
    pandas.DataFrame
        ``instrument``, ``technique``, ``in_service``, ``calibrated_at``, ``valid_until``, ``days_left``,
        ``certificate``, ``performed_by`` and ``state``: ``valid``, ``due`` (ends within 30 days), ``expired``,
        ``failed`` (the newest calibration was not passed), ``open`` (no end stated), ``never``.
    """
    text = datetime.now(UTC).date().isoformat() if at is None else str(at)
    try:
        day = date.fromisoformat(text[:10])
    except ValueError:
        raise LabError(f"at = {text!r} is no day; write 2026-03-02.") from None
    c = s.calibration
    with store.read() as conn:
        instruments = conn.execute(select(s.instrument).order_by(s.instrument.c.code)).mappings().all()
        newest: dict[int, Mapping[str, Any]] = {}
        for row in conn.execute(select(c).order_by(c.c.calibrated_at, c.c.id)).mappings():
            if row["calibrated_at"][:10] <= day.isoformat():
                newest[row["instrument_id"]] = dict(row)
    rows = []
    for i in instruments:
        last: Mapping[str, Any] = newest.get(i["id"], {})
        end = _last_day(last.get("valid_until", ""))
        rows.append({
            "instrument": i["code"], "technique": i["technique"], "in_service": i["state"] == "in_service",
            "calibrated_at": last.get("calibrated_at", ""), "valid_until": last.get("valid_until", ""),
            "days_left": math.nan if end is None else float((end - day).days),
            "certificate": last.get("certificate", ""), "performed_by": last.get("performed_by", ""),
            "state": _state(last, end, day),
        })  # fmt: skip
    columns = ["instrument", "technique", "in_service", "calibrated_at", "valid_until", "days_left", "certificate",
               "performed_by", "state"]  # fmt: skip
    texts = [c for c in columns if c not in ("in_service", "days_left")]
    frame = _typed(rows, columns, texts, in_service="bool")
    frame.attrs["at"] = day.isoformat()
    return frame


def _last_day(text: str) -> date | None:
    """The last day of ``2026``, ``2026-03`` or ``2026-03-15``."""
    if not text:
        return None
    if len(text) >= 10:
        return date.fromisoformat(text[:10])
    year, month = int(text[:4]), int(text[5:7]) if len(text) >= 7 else 12
    return date(year + month // 12, month % 12 + 1, 1) - timedelta(days=1)


def _state(last: Mapping[str, Any], end: date | None, day: date) -> str:
    if not last:
        return "never"
    if last["result"] == "fail":
        return "failed"
    if end is None:
        return "open"
    if end < day:
        return "expired"
    return "due" if (end - day).days <= NOTICE_DAYS else "valid"


# -- repeatability
def duplicates_report(store: Store, quantity: str | None = None) -> pd.DataFrame:
    """Pooled repeatability from replicates, beside the limit of the test method.

    Parameters
    ----------
    store : Store
    quantity : str, optional
        Only this one.

    Returns
    -------
    pandas.DataFrame
        One row per quantity, technique and method: ``groups`` and ``results``, degrees of freedom ``dof``, pooled
        standard deviation ``s_r``, repeatability limit ``r`` = 2.8 ``s_r`` [unit], the same relative to the mean
        ``r_rel``, the method's ``limit`` (``limit_rel`` where it is relative), ``within`` (r is not above it; None
        where there is no limit), ``over`` (groups that differ by more than the limit allows), ``evidence`` and
        ``source`` of the limit.

    Notes
    -----
    A group is what was measured on one sample, mix or specimen by one technique, method, instrument and operator on
    one day at one age and basis (repeatability conditions, ISO 5725-1), at least twice. Groups of n > 2 are compared
    with the limit times f(n)/f(2) of ISO 5725-6 (factors from memory, unverified).
    """
    name = None if quantity is None else (vocabulary.find(quantity) or vocabulary.term(quantity)).name
    groups = _replicates(store, name)
    kinds: dict[tuple[str, str, str, str], list[NDArray[np.float64]]] = {}
    for (_, *where), values in groups.items():
        if len(values) > 1:
            kinds.setdefault((where[0], where[1], where[2], where[3]), []).append(np.array(values, dtype=float))
    rows = [_pooled(*kind, sets) for kind, sets in sorted(kinds.items())]
    columns = ["quantity", "unit", "technique", "method", "groups", "results", "dof", "mean", "s_r", "r", "r_rel",
               "limit", "limit_rel", "within", "over", "evidence", "source"]  # fmt: skip
    counts = dict.fromkeys(("groups", "results", "dof"), "int64")
    return _typed(
        rows, columns, ("quantity", "unit", "technique", "method", "evidence", "source"), **counts, within="object",
        over="object",
    )  # fmt: skip


def _replicates(store: Store, name: str | None) -> dict[tuple[str, ...], list[float]]:
    m, v, q = s.measurement, s.value, s.quantity
    query = (
        select(m.c.sample_id, m.c.mix_id, m.c.specimen_id, m.c.technique, m.c.method, m.c.instrument_id, m.c.operator,
               m.c.measured_at, m.c.age_days, q.c.name, q.c.unit, v.c.basis, v.c.value)
        .join(v, v.c.measurement_id == m.c.id).join(q, q.c.id == v.c.quantity_id)
        .where(v.c.value.is_not(None) & _live()).order_by(m.c.id)
    )  # fmt: skip
    if name is not None:
        query = query.where(q.c.name == name)
    out: dict[tuple[str, ...], list[float]] = {}
    with store.read() as conn:
        for r in conn.execute(query).mappings():
            target = json.dumps(
                [r["sample_id"], r["mix_id"], r["specimen_id"], r["instrument_id"], r["operator"],
                 r["measured_at"][:10], r["age_days"], r["basis"]]
            )  # fmt: skip
            key = (target, r["name"], r["unit"], r["technique"], r["method"])
            out.setdefault(key, []).append(float(r["value"]))
    return out


def _pooled(
    quantity: str, unit: str, technique: str, method: str, sets: Sequence[NDArray[np.float64]]
) -> dict[str, Any]:
    dof = sum(len(x) - 1 for x in sets)
    s_r = math.sqrt(sum(float(((x - x.mean()) ** 2).sum()) for x in sets) / dof)
    mean = float(np.concatenate(sets).mean())
    try:
        limit = vocabulary.term(quantity).repeatability
    except UnknownNameError:  # a quantity of an own vocabulary that is no longer there
        limit = None
    row: dict[str, Any] = {
        "quantity": quantity, "unit": unit, "technique": technique, "method": method, "groups": len(sets),
        "results": sum(len(x) for x in sets), "dof": dof, "mean": mean, "s_r": s_r, "r": 2.8 * s_r,
        "r_rel": 2.8 * s_r / abs(mean) if mean else math.nan, "limit": math.nan, "limit_rel": math.nan,
        "within": None, "over": None, "evidence": "", "source": "",
    }  # fmt: skip
    if limit is None:
        return row
    allowed = limit.limit(mean)
    wide = [
        np.ptp(x) > limit.limit(float(x.mean())) * CRITICAL_RANGE[min(len(x), 10)] / CRITICAL_RANGE[2] * (1 + 1e-9)
        for x in sets
    ]
    return row | {
        "limit": allowed, "limit_rel": math.nan if limit.relative is None else limit.relative,
        "within": bool(row["r"] <= allowed), "over": int(sum(wide)), "evidence": str(limit.source.evidence),
        "source": limit.source.text,
    }  # fmt: skip

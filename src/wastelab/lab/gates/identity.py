"""Whose, when, by whom, with what: the sample a file names, its dates, the operator, the instrument's calibration."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta

from ..drafts import Context, Draft, Finding, Gate
from .facts import facts

#: No result of a laboratory of today is older.
OLDEST = "1950"
_ISO = re.compile(r"\d{4}(?:-\d{2}(?:-\d{2}(?:[T ]\d{2}:\d{2}.*)?)?)?Z?")
#: Ages that differ from their dates by less are rounding [d], and by this share.
_AGE_DAYS, _AGE_SHARE = 1.5, 0.05


def check(draft: Draft, context: Context) -> Iterator[Finding]:
    """Where a draft belongs in the laboratory's books."""
    yield from _sample(draft, context)
    measured = str(draft.record.get("measured_at") or "")
    if measured:
        yield from _dates(draft, context, measured)
    operator = str(draft.record.get("operator") or "")
    if operator:
        people = facts(context).people
        if people and operator not in people:
            yield draft.finding("operator_unknown", "warn", "gate.operator_unknown", "gate.remedy_operator",
                                operator=operator)  # fmt: skip
    if draft.record.get("instrument"):
        yield from _calibration(draft, context, measured)


def _sample(draft: Draft, context: Context) -> Iterator[Finding]:
    if draft.target != "sample" or not draft.file:
        return
    named = facts(context).named.get(draft.file, ())
    if named and not any(d.code in named for d in context.drafts if d.file == draft.file):
        yield draft.finding(
            "sample_identity", "warn", "gate.file_names_other", "gate.remedy_identity", other=named[0], found=draft.code
        )


def _dates(draft: Draft, context: Context, measured: str) -> Iterator[Finding]:
    if not _ISO.fullmatch(measured):
        yield draft.finding("date", "refuse", "gate.date_format", "gate.remedy_date", date=measured)
        return
    tomorrow = (datetime.now() + timedelta(days=1)).isoformat()
    if measured.replace(" ", "T") > tomorrow[: len(measured)]:
        yield draft.finding("date", "refuse", "gate.date_future", "gate.remedy_date", date=measured,
                            today=tomorrow[:10])  # fmt: skip
        return
    if measured < OLDEST:
        yield draft.finding("date", "refuse", "gate.date_old", "gate.remedy_date", date=measured, oldest=OLDEST)
        return
    collected = draft.reading.fields.get("collected_at" if draft.target == "sample" else "cast_at", "")
    collected = collected or ("" if draft.is_new else facts(context).collected.get(draft.uid, ""))
    length = min(len(measured), len(collected), 10)
    if length >= 4 and measured[:length] < collected[:length]:
        yield draft.finding("date", "warn", "gate.date_before", "gate.remedy_date", date=measured, collected=collected)
    elif length == 10 and draft.target != "sample" and draft.record.get("age_days") is not None:
        yield from _age(draft, measured, collected, float(draft.record["age_days"]))


def _age(draft: Draft, measured: str, cast: str, age: float) -> Iterator[Finding]:
    """A stated age against the days from casting to test."""
    try:
        days = (datetime.fromisoformat(measured[:10]) - datetime.fromisoformat(cast[:10])).days
    except ValueError:
        return
    if abs(days - age) > max(_AGE_DAYS, _AGE_SHARE * age):
        yield draft.finding("date", "warn", "gate.date_age", "gate.remedy_date", age=age, days=days, cast=cast,
                            date=measured)  # fmt: skip


def _calibration(draft: Draft, context: Context, measured: str) -> Iterator[Finding]:
    tool = facts(context).instruments.get(str(draft.record["instrument"]))
    if tool is None:
        return
    if tool.state != "in_service":
        yield draft.finding("calibration", "warn", "gate.out_of_service", "gate.remedy_calibration",
                            instrument=tool.code, state=tool.state)  # fmt: skip
        return
    day = (measured or datetime.now().isoformat())[:10]
    for start, end, result in tool.calibrations:
        if start[: len(day)] <= day and (not end or end[:10] >= day[: len(end)]) and result != "fail":
            return
    last = max((e or s for s, e, _ in tool.calibrations), default="")
    key = "gate.calibration_expired" if last else "gate.calibration_none"
    yield draft.finding("calibration", "warn", key, "gate.remedy_calibration", instrument=tool.code, date=day,
                        last=last)  # fmt: skip


GATES = (
    Gate(
        "sample_identity",
        check,
        False,
        "Sample unknown, or the file names another one",
        "样品未登记或文件名指向另一样品",
    ),
    Gate(
        "date",
        check,
        True,
        "Date in the future, too old, or before sampling or casting",
        "日期在未来、过早或早于取样、成型",
    ),
    Gate("operator_unknown", check, True, "Operator is not registered", "检测人未登记"),
    Gate(
        "calibration", check, True, "Instrument out of service or without a valid calibration", "仪器停用或无有效校准"
    ),
)

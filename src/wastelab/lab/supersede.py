"""Results that replace earlier ones, and replicate numbers that are taken.

A result supersedes one of the same technique on the same sample, mix or specimen. A verified one is replaced only with
a reason, and by somebody who may retract it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, func, select

from . import schema as s
from .drafts import Context, Draft, Finding

if TYPE_CHECKING:
    from .intake import Plan

#: Roles that verify and retract.
DECIDERS = ("reviewer", "manager", "admin")


@dataclass(frozen=True, slots=True)
class Old:
    """A stored measurement that is to be replaced; `target` and `code` are those of what was measured."""

    key: int
    uid: str
    place: str
    technique: str
    replicate: int
    status: str
    target: str
    code: str


def same_numbers(drafts: Sequence[Draft], context: Context) -> None:
    """Warn where a file states a replicate number that a result of the same series has already."""
    seen: dict[tuple[Any, ...], list[Draft]] = {}
    for draft in drafts:
        record = draft.record
        if not str(draft.reading.fields.get("replicate", "")).strip() or record["supersedes"]:
            continue
        series = (record["technique"], record["method"], record["age_days"], record["replicate"])
        names = {v.quantity for v in draft.values}
        for e in context.earlier(draft):
            same = (e.technique, e.method, e.age_days, e.replicate) == series
            same = same and not compare_days(e.measured_at, record["measured_at"])
            if same and (names & e.values.keys() or (e.curve_sha and draft.variables)):
                draft.findings.append(draft.finding(
                    "replicate_number", "warn", "receipt.replicate_taken", "receipt.replicate_remedy",
                    number=e.replicate, technique=e.technique, uid=e.uid, date=e.measured_at or "?",
                ))  # fmt: skip
                break
        others = seen.setdefault((draft.uid, *series), [])
        for other in others:
            same = not compare_days(other.record["measured_at"], record["measured_at"])
            if same and (names & {v.quantity for v in other.values} or (other.variables and draft.variables)):
                draft.findings.append(draft.finding(
                    "replicate_number", "warn", "receipt.replicate_twice", "receipt.replicate_remedy",
                    number=record["replicate"], technique=record["technique"], first=other.reading.where or "?",
                ))  # fmt: skip
                break
        others.append(draft)


def supersede(conn: Connection, plan: Plan, replaces: Sequence[Old], user: str) -> None:
    """Point new results to those they replace, and note which are to be retracted."""
    if plan.options.supersedes:
        old = _named(conn, plan)
        replaces = [old] if old else []
    rest = list(replaces)
    for draft in plan.drafts:
        if not rest:
            break
        same = [o for o in rest if (o.technique, o.target) == (draft.record["technique"], draft.uid)]
        old = next((o for o in same if o.place == draft.record["place"]), None)
        if old is None and plan.options.supersedes and same:
            old = same[0]
        if old is None:
            continue
        rest.remove(old)
        draft.record["supersedes"] = old.uid
        draft.record["replicate"] = old.replicate
        if old.status == "retracted":
            draft.findings.append(
                draft.finding("superseded", "warn", "receipt.was_retracted", "receipt.retract_again", uid=old.uid)
            )
    plan.superseded = [o.key for o in replaces if o.status != "retracted"]
    _may_replace(conn, plan, [o for o in replaces if o.status == "verified"], user)


def _may_replace(conn: Connection, plan: Plan, verified: Sequence[Old], user: str) -> None:
    """A verified result is replaced with a reason, and by somebody who may retract it; findings where not."""
    if not verified:
        return
    deciders = may_decide(conn)
    for old in verified:
        values = {"uid": old.uid, "user": user, "allowed": ", ".join(sorted(deciders or ())) or "-"}
        if not plan.options.reason:
            plan.findings.append(
                Finding("schema", "refuse", "receipt.supersedes_reason", "", values, plan.file, old.place, old.code)
            )
        if deciders is not None and user not in deciders:
            plan.findings.append(
                Finding("schema", "refuse", "receipt.supersedes_role", "", values, plan.file, old.place, old.code)
            )


def may_decide(conn: Connection) -> frozenset[str] | None:
    """Names of those who may verify and retract; None where nobody is registered, so that anybody may."""
    people = conn.execute(select(s.person.c.name, s.person.c.role, s.person.c.active)).all()
    if not people:
        return None
    return frozenset(name for name, role, active in people if active and role in DECIDERS)


def _named(conn: Connection, plan: Plan) -> Old | None:
    """The measurement that the options say is replaced; a finding where it cannot be."""
    uid = plan.options.supersedes
    old = next(iter(stored(conn, s.measurement.c.uid == uid)), None)
    techniques = {d.record["technique"] for d in plan.drafts}
    key = ""
    if old is None:
        key = "receipt.supersedes_unknown"
    elif old.status == "retracted":
        key = "receipt.supersedes_retracted"
    elif len(plan.drafts) != 1:
        key = "receipt.supersedes_several"
    elif techniques != {old.technique}:
        key = "receipt.supersedes_technique"
    elif plan.drafts[0].uid != old.target:
        key = "receipt.supersedes_target"
    if not key:
        return old
    values: Mapping[str, object] = {
        "uid": uid, "count": len(plan.drafts), "technique": old.technique if old else "",
        "found": ", ".join(sorted(techniques)), "target": old.code if old else "",
        "other": plan.drafts[0].code if plan.drafts else "",
    }  # fmt: skip
    plan.findings.append(Finding("schema", "refuse", key, values=values, file=plan.file))
    return None


def stored(conn: Connection, where: Any) -> list[Old]:
    """Stored measurements that fit a condition, oldest first."""
    m, a, b, c = s.measurement, s.specimen, s.mix, s.sample
    target, code = func.coalesce(a.c.uid, b.c.uid, c.c.uid, ""), func.coalesce(a.c.code, b.c.code, c.c.code, "")
    query = select(m.c.id, m.c.uid, m.c.place, m.c.technique, m.c.replicate, m.c.status, target, code)
    query = query.outerjoin(a, a.c.id == m.c.specimen_id).outerjoin(b, b.c.id == m.c.mix_id)
    query = query.outerjoin(c, c.c.id == m.c.sample_id).where(where).order_by(m.c.id)
    return [Old(*row) for row in conn.execute(query)]


def compare_days(date: str, at: str) -> int:
    """-1, 0 or 1 as a date is before, on or after another; compared as far as both go, a day at most."""
    size = min(len(date), len(at), 10)
    return (date[:size] > at[:size]) - (date[:size] < at[:size])

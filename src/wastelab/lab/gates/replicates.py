"""Replicates against the repeatability limits of the vocabulary, and data that were handed in twice.

Two results: their difference against r. More: their range against the critical range f(n) of ISO 5725-6, with
sigma_r = r/2.8. Strength follows the rule of its standard: each result against the mean of all. The limits carry
their evidence level, and most are from memory: hence a warning, never a refusal.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...instruments.vocabulary import Term
from ..drafts import Context, Draft, Finding, Gate
from .facts import Facts, age_of, basis_of, facts, numbers, term, value_print

#: Critical range factors f(n) of ISO 5725-6 for n results (from memory).
CRITICAL_RANGE = {2: 2.8, 3: 3.3, 4: 3.6, 5: 3.9, 6: 4.0, 7: 4.2, 8: 4.3, 9: 4.4, 10: 4.5}
#: Quantities judged by the deviation of each result from the mean.
_BY_MEAN = frozenset({"compressive_strength", "flexural_strength", "tensile_strength"})
#: Same numbers again are suspicious from this many on.
_ENOUGH = 3


def check(draft: Draft, context: Context) -> Iterator[Finding]:
    """Compare a draft with what was measured before on the same target."""
    if not draft.values and not draft.variables:
        return
    known = facts(context)
    if not draft.is_new or len(context.drafts) > 1:
        yield from _repeatability(draft, context, known)
        yield from _duplicate(draft, context, known)


def _repeatability(draft: Draft, context: Context, known: Facts) -> Iterator[Finding]:
    limited = [v for v in draft.values if v.value is not None and (t := term(v.quantity)) and t.repeatability]
    if not limited:
        return
    here = known.before(draft)
    siblings = [d for d in known.groups.get(known.group_of(draft), ()) if known.before(d) < here]
    method, age, basis = str(draft.record.get("method") or ""), age_of(draft), basis_of(draft)
    stored = [
        e for e in context.earlier(draft)
        if e.method == method and e.age_days == age and (not e.basis or not basis or e.basis == basis)
    ]  # fmt: skip
    if not siblings and not stored:
        return
    others = [numbers(d) for d in siblings]
    for v in limited:
        assert v.value is not None
        results = [x for e in stored for x in [e.values.get(v.quantity, (None, ""))[0]] if x is not None]
        results += [n[v.quantity] for n in others if v.quantity in n]
        results = [*results[-9:], v.value]
        quantity = term(v.quantity)
        if len(results) > 1 and quantity is not None:
            yield from _judge(draft, quantity, results, v.where)


def _judge(draft: Draft, quantity: Term, results: Sequence[float], where: str) -> Iterator[Finding]:
    limit = quantity.repeatability
    assert limit is not None
    n = len(results)
    mean = sum(results) / n
    said: dict[str, object] = {
        "name": quantity.name, "unit": quantity.unit, "value": results[-1], "count": n, "mean": mean,
        "results": ", ".join(f"{x:g}" for x in results), "source": limit.source.text,
        "evidence": limit.source.evidence.value,
    }  # fmt: skip
    if quantity.name in _BY_MEAN:
        allowed = limit.limit(mean)
        off = max(results, key=lambda x: abs(x - mean))
        if abs(off - mean) > allowed:
            yield draft.finding(
                "repeatability", "warn", "gate.repeatability_mean", "gate.remedy_repeatability", quantity=quantity.name,
                where=where, **said, off=off, difference=abs(off - mean), limit=allowed,
            )  # fmt: skip
        return
    allowed = limit.limit(mean) * CRITICAL_RANGE[n] / 2.8
    spread = max(results) - min(results)
    if spread > allowed * (1.0 + 1e-9):
        key = "gate.repeatability" if n == 2 else "gate.repeatability_range"
        yield draft.finding(
            "repeatability", "warn", key, "gate.remedy_repeatability", quantity=quantity.name, where=where, **said,
            other=results[0], difference=spread, limit=allowed,
        )  # fmt: skip


def _duplicate(draft: Draft, context: Context, known: Facts) -> Iterator[Finding]:
    here = known.before(draft)
    for print_ in known.prints(draft) if len(context.drafts) > 1 else ():
        first = known.first_with.get(print_, here)
        if first < here:
            other = context.drafts[first]
            key = "gate.duplicate_curve" if draft.variables else "gate.duplicate_values"
            where = ", ".join(p for p in (other.file if other.file != draft.file else "", other.reading.where) if p)
            yield draft.finding(
                "duplicate_data", "warn", key, "gate.remedy_duplicate", technique=draft.record["technique"],
                other=other.code, place=where or other.file,
            )  # fmt: skip
            return
    if draft.is_new or draft.variables:
        return
    mine = value_print(draft)
    if len(mine) < _ENOUGH:
        return
    for e in context.earlier(draft):
        theirs = tuple(sorted((k, x) for k, (x, _) in e.values.items() if x is not None))
        if theirs == mine and e.age_days == age_of(draft):
            yield draft.finding(
                "duplicate_data", "warn", "gate.duplicate_stored" if e.measured_at else "gate.duplicate_undated",
                "gate.remedy_duplicate",
                technique=draft.record["technique"], other=e.uid, date=e.measured_at, replicate=e.replicate,
            )  # fmt: skip
            return


GATES = (
    Gate(
        "repeatability",
        check,
        True,
        "Replicates further apart than their repeatability limit",
        "平行结果之差超过重复性限",
    ),
    Gate("duplicate_data", check, True, "The same numbers or curve handed in before", "与已有数据或曲线完全相同"),
)

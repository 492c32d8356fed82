"""What the gates look up, once a file: quantities of the vocabulary, people, instruments, other drafts of the file."""

from __future__ import annotations

import hashlib
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from weakref import ReferenceType, WeakKeyDictionary, ref

from sqlalchemy import select

from ...errors import UnknownNameError
from ...instruments import vocabulary
from .. import schema as s
from ..drafts import Context, Draft, Earlier, Finding


@cache
def term(name: str) -> vocabulary.Term | None:
    """The vocabulary entry of a quantity, or None."""
    try:
        return vocabulary.term(name)
    except UnknownNameError:
        return None


@cache
def technique(code: str) -> vocabulary.Technique | None:
    """The vocabulary entry of a technique's code, or None (an open one, such as that of a MATLAB file)."""
    return vocabulary.techniques().get(code)


def numbers(draft: Draft) -> dict[str, float]:
    """The finite numbers of a draft by quantity; what was not detected is left out."""
    return {v.quantity: v.value for v in draft.values if v.value is not None and math.isfinite(v.value)}


def basis_of(draft: Draft) -> str:
    """The basis of a draft's contents: its record's, else that of its first oxide."""
    stated = draft.record.get("basis") or ""
    if stated:
        return str(stated)
    contents = (v for v in draft.values if v.unit == "wt%" and v.quantity not in ("LOI", "moisture"))
    return next((v.basis for v in contents if v.basis), "")


def age_of(draft: Draft) -> float | None:
    """Age at test [d], or None."""
    age = draft.record.get("age_days")
    return None if age is None else float(age)


def curve_digest(draft: Draft) -> str:
    """Digest of the arrays of a curve, or an empty string without one."""
    if not draft.variables:
        return ""
    out = hashlib.blake2b(digest_size=16)
    for name in sorted(draft.variables):
        data = draft.variables[name].data
        out.update(f"{name}:{data.dtype.str}:{data.shape};".encode())
        out.update(data.tobytes())
    return out.hexdigest()


def value_print(draft: Draft) -> tuple[tuple[str, float], ...]:
    """All numbers of a draft, in a form that can be compared."""
    return tuple(sorted(numbers(draft).items()))


@dataclass(frozen=True, slots=True)
class Instrument:
    """An instrument as the laboratory has it, with its calibrations (from, until, result)."""

    code: str
    state: str
    calibrations: tuple[tuple[str, str, str], ...]


Group = tuple[str, str, str, float | None, str]
Check = Callable[[Draft, Context], Iterable[Finding]]


@dataclass
class Facts:
    """What is known beside one draft; everything is loaded when first asked for."""

    owner: ReferenceType[Context]  # weak: the facts live as long as their context, not longer
    position: dict[int, int] = field(default_factory=dict)
    _last: dict[Check, tuple[Draft, Mapping[str, Sequence[Finding]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.position = {id(d): i for i, d in enumerate(self.context.drafts)}

    @property
    def context(self) -> Context:
        """The context these facts belong to."""
        context = self.owner()
        assert context is not None
        return context

    def findings(self, draft: Draft, check: Check, gate: str) -> Sequence[Finding]:
        """What a check finds for one of its gates; the last draft's findings are kept for its other gates."""
        kept = self._last.get(check)
        if kept is None or kept[0] is not draft:
            by_gate: dict[str, list[Finding]] = {}
            for finding in check(draft, self.context):
                by_gate.setdefault(finding.gate, []).append(finding)
            kept = self._last[check] = (draft, by_gate)
        return kept[1].get(gate, ())

    # -- the file
    def before(self, draft: Draft) -> int:
        """Position of the draft in its file."""
        return self.position.get(id(draft), len(self.context.drafts))

    @staticmethod
    def group_of(draft: Draft) -> Group:
        """What makes two results comparable: target, technique, method, age, basis."""
        record = draft.record
        return (draft.uid, record["technique"], str(record.get("method") or ""), age_of(draft), basis_of(draft))

    @cached_property
    def groups(self) -> Mapping[Group, list[Draft]]:
        """Drafts of the file that are replicates of each other."""
        out: dict[Group, list[Draft]] = {}
        for draft in self.context.drafts:
            if draft.values:
                out.setdefault(self.group_of(draft), []).append(draft)
        return out

    @cached_property
    def of_target(self) -> Mapping[tuple[str, str], Draft]:
        """Last draft of the file by target and technique."""
        return {(d.uid, d.record["technique"]): d for d in self.context.drafts}

    @cached_property
    def first_with(self) -> Mapping[object, int]:
        """Position of the first draft with given numbers or a given curve; single drafts need no look."""
        out: dict[object, int] = {}
        if len(self.context.drafts) < 2:
            return out
        for i, draft in enumerate(self.context.drafts):
            for print_ in self.prints(draft):
                out.setdefault(print_, i)
        return out

    @cached_property
    def _prints(self) -> dict[int, list[object]]:
        return {}

    def prints(self, draft: Draft) -> list[object]:
        """What is compared to find data that were handed in twice."""
        known = self._prints.get(id(draft))
        if known is None:
            known = []
            code = draft.record["technique"]
            if draft.variables:
                known.append((code, curve_digest(draft)))
            elif len(printed := value_print(draft)) >= 3:
                known.append((code, printed, age_of(draft)))
            self._prints[id(draft)] = known
        return known

    # -- the sample
    def analysis(self, draft: Draft, code: str) -> dict[str, float]:
        """Numbers measured on the draft's target by another technique: in this file, else the newest stored."""
        here = self.of_target.get((draft.uid, code))
        if here is not None:
            return numbers(here)
        stored = self._stored(draft, code)
        return {} if stored is None else {k: x for k, (x, _) in stored.values.items() if x is not None}

    def analysis_basis(self, draft: Draft, code: str) -> str:
        """Basis of what `analysis` gives."""
        here = self.of_target.get((draft.uid, code))
        if here is not None:
            return basis_of(here)
        stored = self._stored(draft, code)
        return "" if stored is None else stored.basis

    def _stored(self, draft: Draft, code: str) -> Earlier | None:
        """The newest measurement of the draft's target by another technique."""
        if draft.is_new:
            return None
        found = self.context.earlier(replace(draft, record={**draft.record, "technique": code}))
        return found[-1] if found else None

    @cached_property
    def collected(self) -> Mapping[str, str]:
        """When known samples were collected and specimens and mixes were cast, by uid."""
        out: dict[str, str] = {}
        columns = {"sample": s.sample.c.collected_at, "mix": s.mix.c.made_at, "specimen": s.specimen.c.cast_at}
        for target, column in columns.items():
            uids = sorted({d.uid for d in self.context.drafts if d.target == target and not d.is_new})
            uid = column.table.c.uid
            for start in range(0, len(uids), 500):
                rows = self.context.conn.execute(select(uid, column).where(uid.in_(uids[start : start + 500])))
                out.update({r[0]: r[1] for r in rows if r[1]})
        return out

    # -- the laboratory
    @cached_property
    def people(self) -> frozenset[str]:
        """Names of registered persons, in both languages."""
        rows = self.context.conn.execute(select(s.person.c.name, s.person.c.name_zh)).all()
        return frozenset(name for row in rows for name in row if name)

    @cached_property
    def instruments(self) -> Mapping[str, Instrument]:
        """Instruments that the file's drafts name, by uid."""
        uids = sorted({d.record["instrument"] for d in self.context.drafts if d.record.get("instrument")})
        if not uids:
            return {}
        tool, cal = s.instrument, s.calibration
        rows = self.context.conn.execute(
            select(tool.c.uid, tool.c.code, tool.c.state, cal.c.calibrated_at, cal.c.valid_until, cal.c.result)
            .join(cal, cal.c.instrument_id == tool.c.id, isouter=True)
            .where(tool.c.uid.in_(uids[:1000]))
        ).all()
        out: dict[str, Instrument] = {}
        for uid, code, state, start, end, result in rows:
            earlier = out[uid].calibrations if uid in out else ()
            more = ((start, end or "", result),) if start else ()
            out[uid] = Instrument(code, state, (*earlier, *more))
        return out

    @cached_property
    def named(self) -> Mapping[str, tuple[str, ...]]:
        """Codes of samples that the names of the files hold, the longest of overlapping ones, by file name."""
        out: dict[str, tuple[str, ...]] = {}
        for file in {d.file for d in self.context.drafts if d.target == "sample" and d.file}:
            spans = _spans(file)
            if not spans:
                continue
            texts = sorted({t for t, _, _ in spans} | {t.upper() for t, _, _ in spans})
            code = s.sample.c.code
            known = {r[0] for r in self.context.conn.execute(select(code).where(code.in_(texts)))}
            known |= {d.code for d in self.context.drafts if d.target == "sample" and d.code}
            hits = [(t if t in known else t.upper(), a, b) for t, a, b in spans if t in known or t.upper() in known]
            whole = [h for h in hits if not any(a <= h[1] and h[2] <= b and b - a > h[2] - h[1] for _, a, b in hits)]
            out[file] = tuple(dict.fromkeys(t for t, _, _ in whole))
        return out


_PIECE = re.compile(r"[A-Za-z]+|[0-9]+|[\u4e00-\u9fff]+")


def _spans(file: str) -> list[tuple[str, int, int]]:
    """Parts of a file name that may be a sample's code: whole pieces, with a letter and a digit."""
    stem = file.rsplit("/", 1)[-1].rsplit("\\", 1)[-1]
    stem = stem.rsplit(".", 1)[0] if "." in stem else stem
    pieces = [m.span() for m in _PIECE.finditer(stem)][:16]
    out = []
    for i, (start, _) in enumerate(pieces):
        for _, end in pieces[i : i + 8]:
            text = stem[start:end]
            if len(text) >= 3 and any(c.isdigit() for c in text) and any(c.isalpha() for c in text):
                out.append((text, start, end))
    return out


_FACTS: WeakKeyDictionary[Context, Facts] = WeakKeyDictionary()


def facts(context: Context) -> Facts:
    """The facts of a context, made once."""
    found = _FACTS.get(context)
    if found is None:
        found = _FACTS[context] = Facts(ref(context))
    return found

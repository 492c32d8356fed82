"""A measurement on its way into the store, and what the gates say of it.

A `Draft` is a reading bound to a sample, mix or specimen; a gate looks at drafts and yields `Finding` objects. A
finding either refuses (nothing of the file is stored but the raw file, in quarantine) or warns (stored as draft, with
the flag).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import Connection, select

from ..i18n import DEFAULT, tr
from ..instruments.base import Reading, Value, Variable
from ..instruments.places import where_text
from . import schema as s

Severity = Literal["refuse", "warn"]
#: Placeholders that hold a place in a file.
_PLACES = frozenset(("place", "first"))


@dataclass(frozen=True, slots=True)
class Finding:
    """What a gate found.

    Attributes
    ----------
    gate : str
        Stable name, what ``--allow`` takes: ``"oxide_sum"``.
    severity : {"refuse", "warn"}
    key : str
        Text in the locale files (``"gate.oxide_sum_high"``), with `values` for its placeholders.
    remedy : str
        Key of the text that says what to do (``"gate.remedy_columns"``), with the same placeholders.
    values : mapping
    file, where, sample, quantity : str
        Where it is: ``where`` is sheet, row and column or line.
    """

    gate: str
    severity: Severity
    key: str
    remedy: str = ""
    values: Mapping[str, object] = field(default_factory=dict)
    file: str = ""
    where: str = ""
    sample: str = ""
    quantity: str = ""

    def text(self, lang: str = DEFAULT) -> str:
        """The finding as one or two sentences: where, what, expected, what to do."""
        comma = "," if lang == "zh" else ", "
        place = comma.join(p for p in (self.file, where_text(self.where, lang)) if p)
        if self.sample:
            place += tr("gate.of_sample", lang, sample=self.sample)
        colon = ":" if lang == "zh" else ": "
        values = {k: where_text(v, lang) if k in _PLACES and isinstance(v, str) else v for k, v in self.values.items()}
        said = tr(self.key, lang, **values)
        advice = tr(self.remedy, lang, **values) if self.remedy else ""
        return f"{place}{colon if place else ''}{said}{'' if lang == 'zh' or not advice else ' '}{advice}"

    def to_dict(self) -> dict[str, Any]:
        """For ``--json`` and receipts."""
        return {
            "gate": self.gate,
            "severity": self.severity,
            "file": self.file,
            "where": self.where,
            "sample": self.sample,
            "quantity": self.quantity,
            "values": {k: v if isinstance(v, int | float) else str(v) for k, v in self.values.items()},
            "message": self.text("en"),
            "message_zh": self.text("zh"),
        }


@dataclass
class Draft:
    """One measurement before it is stored.

    Attributes
    ----------
    reading : Reading
        As the reader gave it.
    file : str
        Name of the file, for messages.
    target : {"sample", "mix", "specimen"}
    code : str
        Code of the target.
    uid : str
        Uid of the target (of a new sample too).
    waste_class, subtype : str
        Class of the sample; name of the sample, for gates that read it ("calcined", "class F").
    is_new : bool
        The sample is created by this upload.
    values : list of Value
        In the units of the vocabulary, basis filled in.
    variables : mapping of str to Variable
    record : dict
        The measurement as `entities` describes it.
    findings : list of Finding
    """

    reading: Reading
    file: str
    target: str
    code: str
    uid: str
    waste_class: str
    subtype: str
    is_new: bool
    values: list[Value]
    variables: Mapping[str, Variable]
    record: dict[str, Any]
    findings: list[Finding] = field(default_factory=list)

    def number(self, quantity: str) -> float | None:
        """The measured value of a quantity, None where there is none or it is below detection."""
        for v in self.values:
            if v.quantity == quantity:
                return v.value
        return None

    def finding(
        self,
        gate: str,
        severity: Severity,
        key: str,
        remedy: str = "",
        *,
        quantity: str = "",
        where: str = "",
        **values: object,
    ) -> Finding:
        """A finding about this draft, with its place filled in."""
        if not where:
            where = next((v.where for v in self.values if v.quantity == quantity and v.where), "") or self.reading.where
        return Finding(gate, severity, key, remedy, values, self.file, where, self.code, quantity)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Earlier:
    """A measurement already stored (not retracted) on the same target by the same technique."""

    uid: str
    technique: str
    method: str
    measured_at: str
    replicate: int
    curve_sha: str | None
    raw_sha: str | None
    instrument: int | None
    operator: str
    values: Mapping[str, tuple[float | None, str]]  # quantity -> (value, flag)
    age_days: float | None = None
    basis: str = ""


class Context:
    """What gates may look at besides the drafts: what the laboratory already holds.

    Attributes
    ----------
    conn : Connection
    drafts : sequence of Draft
        All of the file (or batch).
    """

    def __init__(self, conn: Connection, drafts: Sequence[Draft]) -> None:
        self.conn = conn
        self.drafts = drafts
        self._earlier: dict[tuple[str, str], list[Earlier]] | None = None

    def earlier(self, draft: Draft) -> list[Earlier]:
        """Measurements stored before on the draft's target by its technique, oldest first."""
        if draft.is_new:
            return []
        if self._earlier is None:
            self._earlier = self._load()
        return self._earlier.get((draft.uid, draft.record["technique"]), [])

    def _load(self) -> dict[tuple[str, str], list[Earlier]]:
        out: dict[tuple[str, str], list[Earlier]] = {}
        m, v, q = s.measurement, s.value, s.quantity
        for target, table in (("sample", s.sample), ("mix", s.mix), ("specimen", s.specimen)):
            uids = sorted({d.uid for d in self.drafts if d.target == target and not d.is_new})
            for start in range(0, len(uids), 500):
                chunk = uids[start : start + 500]
                rows = self.conn.execute(
                    select(m, table.c.uid.label("target_uid"))
                    .join(table, table.c.id == m.c[f"{target}_id"])
                    .where(table.c.uid.in_(chunk) & (m.c.status != "retracted"))
                    .order_by(m.c.id)
                ).mappings().all()  # fmt: skip
                numbers: dict[int, dict[str, tuple[float | None, str]]] = {}
                ids = [r["id"] for r in rows]
                for first in range(0, len(ids), 5000):
                    part = ids[first : first + 5000]
                    found = self.conn.execute(
                        select(v.c.measurement_id, q.c.name, v.c.value, v.c.flag)
                        .join(q, q.c.id == v.c.quantity_id).where(v.c.measurement_id.in_(part))
                    )  # fmt: skip
                    for key, name, number, flag in found:
                        numbers.setdefault(key, {})[name] = (number, s.FLAGS[flag])
                for r in rows:
                    out.setdefault((r["target_uid"], r["technique"]), []).append(
                        Earlier(
                            r["uid"], r["technique"], r["method"], r["measured_at"], r["replicate"], r["curve_sha"],
                            r["raw_sha"], r["instrument_id"], r["operator"], numbers.get(r["id"], {}), r["age_days"],
                            r["basis"],
                        )
                    )  # fmt: skip
        return out


@dataclass(frozen=True)
class Gate:
    """One check of an upload.

    Attributes
    ----------
    name : str
        What ``--allow`` takes.
    check : callable
        ``check(draft, context) -> iterable of Finding``.
    allowable : bool
        Whether a person may let a refusal pass with a reason. A broken schema or unit never passes.
    title, title_zh : str
        For the documentation and ``wastelab gates``.
    """

    name: str
    check: Callable[[Draft, Context], Iterable[Finding]]
    allowable: bool = True
    title: str = ""
    title_zh: str = ""

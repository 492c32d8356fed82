"""Judging: properties against the limits of a grade, each answered pass, fail or unknown.

Order of a judgement: exclusions, forbidden materials and withdrawn products first, numbers after. A missing
property is unknown and says what to measure; a result by another method is not the property; an uncertain
value that straddles a limit is unknown, with the probability of passing where a distribution is known.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from ..chemistry.material import Material
from ..chemistry.quantity import Quantity
from ..errors import UnitError
from ..i18n import tr
from ..provenance import Evidence, weakest
from ..units import parse, parse_number
from .limits import Acceptance, Grade, Limit, round_half_even
from .schema import load_grade, load_standard

if TYPE_CHECKING:
    import pandas as pd

#: Share of the distribution that must lie on one side for a verdict other than unknown.
CONFIDENCE = 0.95


class Status(StrEnum):
    """Answer to one limit."""

    PASS = "pass"
    FAIL = "fail"
    UNKNOWN = "unknown"


@dataclass(frozen=True)
class Property:
    """A property as measured or computed.

    Attributes
    ----------
    value : float
    unit : str
    method : str
        Test method; for leachates the leaching procedure (``"HJ/T 299"``) is part of it.
    sigma : float or None
        Standard uncertainty (normal distribution).
    low, high : float or None
        Interval without a distribution.
    below : float or None
        Detection limit, if nothing was detected.
    evidence : Evidence
        How far the value is trusted.
    """

    value: float
    unit: str = ""
    method: str = ""
    sigma: float | None = None
    low: float | None = None
    high: float | None = None
    below: float | None = None
    evidence: Evidence = Evidence.PRIMARY

    @classmethod
    def read(cls, name: str, given: object, unit: str) -> Property:
        """Make a property from a number, a text with unit (``"3.2 %"``, ``"<0.01 mg/L"``), or a Quantity.

        Raises
        ------
        UnitError
            If the text cannot be read.
        """
        if isinstance(given, Property):
            return given
        if isinstance(given, Quantity):
            return cls(
                given.value, given.unit, given.method, given.sigma, None, None,
                given.lod if given.censored else None, given.source.evidence,
            )  # fmt: skip
        if isinstance(given, str):
            text = given.strip()
            try:
                number, typed = parse_number(text.removeprefix("<"))
            except UnitError as exc:
                raise UnitError(f"{name}: {exc}") from None
            if text.startswith("<"):
                return cls(number / 2, typed or unit, below=number)
            return cls(number, typed or unit)
        if isinstance(given, bool) or not isinstance(given, int | float) or not math.isfinite(given):
            raise UnitError(f"{name} = {given!r} is not a number; leave it out if it is not known.")
        return cls(float(given), unit)


@dataclass(frozen=True)
class Verdict:
    """Answer to one limit, with everything needed to doubt it."""

    status: Status
    limit: Limit
    reason: str
    reason_zh: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    probability: float | None = None
    evidence_value: Evidence = Evidence.PRIMARY

    @property
    def evidence(self) -> Evidence:
        """Weakest of the limit's and the value's evidence."""
        return weakest([self.limit.source.evidence, self.evidence_value])

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON; keys are documented in docs/judging.md."""
        limit = self.limit
        return {
            "status": str(self.status),
            "property": limit.property,
            "label": limit.label,
            "label_zh": limit.label_zh,
            "value": self.value,
            "interval": list(self.interval) if self.interval else None,
            "probability": self.probability,
            "limit": limit.text,
            "unit": limit.unit,
            "standard": limit.standard,
            "edition": limit.edition,
            "grade": limit.grade,
            "clause": limit.clause,
            "method": limit.method,
            "when": limit.when,
            "evidence": str(limit.source.evidence),
            "evidence_value": str(self.evidence_value),
            "source": limit.source.text,
            "note": limit.note,
            "reason": self.reason,
            "reason_zh": self.reason_zh,
        }


@dataclass(frozen=True)
class Judgement:
    """All verdicts of one grade."""

    grade: Grade
    verdicts: tuple[Verdict, ...]
    warnings: tuple[str, ...] = ()

    @property
    def status(self) -> Status:
        """Fail if any limit fails, else unknown if any is unknown, else pass."""
        found = {v.status for v in self.verdicts}
        if Status.FAIL in found:
            return Status.FAIL
        if Status.UNKNOWN in found or not found:
            return Status.UNKNOWN
        return Status.PASS

    @property
    def evidence(self) -> Evidence:
        """Weakest evidence among the verdicts that decide the status."""
        return weakest(v.evidence for v in self.verdicts if v.status == self.status)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for JSON."""
        standard = load_standard(self.grade.standard)
        return {
            "standard": standard.id,
            "title": standard.title,
            "title_zh": standard.title_zh,
            "edition": standard.edition,
            "standard_status": standard.status,
            "grade": self.grade.name,
            "status": str(self.status),
            "evidence": str(self.evidence),
            "warnings": list(self.warnings),
            "verdicts": [v.to_dict() for v in self.verdicts],
        }

    def to_json(self) -> str:
        """One JSON object."""
        return json.dumps(self.to_dict(), ensure_ascii=False)

    def to_frame(self) -> pd.DataFrame:
        """One row per limit."""
        import pandas as pd

        return pd.DataFrame([v.to_dict() for v in self.verdicts])

    def table(self, lang: str = "en") -> str:
        """Plain text table for people."""
        import io

        from rich import box
        from rich.console import Console
        from rich.table import Table

        standard = load_standard(self.grade.standard)
        title = standard.title_zh if lang == "zh" and standard.title_zh else standard.title
        buffer = io.StringIO()
        out = Console(file=buffer, width=118, highlight=False)
        out.print(
            f"{self.grade.reference}  {title}  "
            f"{tr('verdict.' + self.status, lang)} [{tr('verdict.evidence', lang)}: {self.evidence}]",
            markup=False,
        )
        for warning in self.warnings:
            out.print(f"! {warning}", markup=False)
        table = Table(box=box.SIMPLE)
        for head in ("status", "property", "value", "limit", "probability", "evidence", "reason"):
            table.add_column(tr(f"verdict.{head}", lang), overflow="fold")
        for v in self.verdicts:
            label = v.limit.label_zh if lang == "zh" and v.limit.label_zh else v.limit.label
            if v.limit.when:
                label += f" ({v.limit.when})"
            table.add_row(
                tr("verdict." + v.status, lang),
                label,
                "" if v.value is None else f"{v.value:.4g}",
                v.limit.text,
                "" if v.probability is None else f"{v.probability:.3f}",
                str(v.limit.source.evidence),
                v.reason_zh if lang == "zh" else v.reason,
            )
        out.print(table)
        return buffer.getvalue()

    def __str__(self) -> str:
        return self.table()


def judge(
    properties: Mapping[str, object] | Material,
    reference: str,
    *,
    materials: Iterable[Material | str] = (),
    product: str = "",
    variant: str = "",
) -> Judgement:
    """Judge properties against a grade of a standard.

    Parameters
    ----------
    properties : mapping of str to number, str, Property or Quantity; or a Material
        By property id (``"I_Ra"``, ``"SO3"``, ``"leachate_Cu"`` …). A number is taken in the limit's unit.
    reference : str
        ``"GB 6566-2010/main_structure"``.
    materials : iterable of Material or id, optional
        What the product was made of: decides forbidden and excluded materials.
    product : str, optional
        Product designation (``"P.C 32.5R"``): decides withdrawn ones.
    variant : str, optional
        Variant a conditional limit applies to (``"class F"``).

    Returns
    -------
    Judgement

    Raises
    ------
    UnknownNameError
        If the standard or grade does not exist.
    UnitError
        If a property cannot be read or has a unit of another kind.
    """
    grade = load_grade(reference)
    standard = load_standard(grade.standard)
    given = _from_material(properties) if isinstance(properties, Material) else properties
    used = [m if isinstance(m, str) else m.id for m in materials]
    warnings = []
    if standard.status == "superseded":
        warnings.append(f"{standard.id} is superseded ({standard.status_note}); judge by the edition in force.")
    elif standard.status == "check":
        warnings.append(f"{standard.id}: check the edition ({standard.status_note}).")
    verdicts = [_rule(limit, given, used, product) for limit in grade.limits if not limit.numeric]
    verdicts += [_number(limit, given, variant) for limit in grade.limits if limit.numeric]
    return Judgement(grade, tuple(verdicts), tuple(warnings))


def judge_waste_leaching(materials: Iterable[Material]) -> dict[str, Judgement]:
    """Judge each waste by its own leachate, before any blending.

    A waste that is hazardous by leaching toxicity stays hazardous when it is diluted (GB 5085.7), so a
    blend cannot be judged in its place.

    Returns
    -------
    dict of str to Judgement
        By material id, against GB 5085.3-2007.
    """
    return {m.id: judge(m, "GB 5085.3-2007/hazardous_threshold") for m in materials if m.is_waste}


def _from_material(material: Material) -> dict[str, object]:
    out: dict[str, object] = {k: Property(v, "%") for k, v in material.composition.contents.items()}
    for name, source in material.oxide_sources.items():
        old = out.get(name)
        if isinstance(old, Property):
            out[name] = Property(
                old.value, "%", sigma=material.composition.sigma.get(name), evidence=source.evidence,
                below=material.composition.lod.get(name),
            )  # fmt: skip
    out.update(material.quantities)
    return out


def _rule(limit: Limit, given: Mapping[str, object], used: list[str], product: str) -> Verdict:
    if limit.op in ("forbidden", "excluded"):
        hit = [m for m in used if any(m.startswith(prefix) for prefix in limit.materials)]
        if hit:
            return _make(Status.FAIL, limit, "forbidden_used", names=", ".join(hit), note=limit.note)
        if not used:
            return _make(Status.UNKNOWN, limit, "forbidden_unsaid", note=limit.label)
        return _make(Status.PASS, limit, "forbidden_absent")
    if limit.op == "withdrawn":
        if product and product in limit.products:
            return _make(Status.FAIL, limit, "withdrawn", names=product)
        return _make(Status.PASS, limit, "not_withdrawn", names=", ".join(limit.products))
    if limit.op == "not_detected":
        entry = given.get(limit.property)
        if entry is None:
            return _missing(limit)
        found = Property.read(limit.property, entry, limit.unit)
        status = Status.PASS if found.below is not None or found.value == 0 else Status.FAIL
        return _make(status, limit, "not_detected" if status == Status.PASS else "detected", value=found.value)
    if limit.refers_to:
        inner = judge(given, limit.refers_to)
        verdict = _make(inner.status, limit, "refers", names=limit.refers_to)
        return replace(verdict, evidence_value=inner.evidence)
    return _make(Status.UNKNOWN, limit, "by_hand", note=limit.note or limit.label)


def _number(limit: Limit, given: Mapping[str, object], variant: str) -> Verdict:
    if limit.when and limit.when != variant:
        key = "other_variant" if variant else "which_variant"
        return _make(Status.UNKNOWN, limit, key, names=limit.when)
    entry = given.get(limit.property)
    if entry is None:
        return _missing(limit)
    found = Property.read(limit.property, entry, limit.unit)
    if limit.leaching:
        if not found.method:
            return _make(Status.UNKNOWN, limit, "method_unsaid", names=limit.leaching, found=found)
        if _squeeze(limit.leaching) not in _squeeze(found.method):
            return _make(Status.UNKNOWN, limit, "method_other", names=limit.leaching, note=found.method, found=found)
    scale = _scale(limit, found)
    value = found.value * scale
    window = limit.acceptance()
    if found.below is not None:
        return _censored(limit, window, found.below * scale, found)
    if found.sigma:
        return _distributed(limit, window, value, found.sigma * scale, found)
    if found.low is not None or found.high is not None:
        low = value if found.low is None else found.low * scale
        high = value if found.high is None else found.high * scale
        inside = window.contains(low), window.contains(high)
        if all(inside):
            return _make(Status.PASS, limit, "inside", found=found, value=value, interval=(low, high))
        if not any(inside) and not _overlaps(window, low, high):
            return _make(Status.FAIL, limit, "outside", found=found, value=value, interval=(low, high))
        return _make(Status.UNKNOWN, limit, "straddles", found=found, value=value, interval=(low, high))
    if window.contains(value):
        return _make(Status.PASS, limit, "meets", found=found, value=value)
    return _make(Status.FAIL, limit, "misses", found=found, value=value)


def _distributed(limit: Limit, window: Acceptance, value: float, sigma: float, found: Property) -> Verdict:
    def cdf(x: float) -> float:
        return 0.5 * math.erfc(-(x - value) / (sigma * math.sqrt(2.0)))

    upper = 1.0 if window.high is None else cdf(window.high)
    lower = 0.0 if window.low is None else cdf(window.low)
    p = max(0.0, upper - lower)
    interval = (value - 1.96 * sigma, value + 1.96 * sigma)
    if p >= CONFIDENCE:
        status, key = Status.PASS, "inside"
    elif p <= 1.0 - CONFIDENCE:
        status, key = Status.FAIL, "outside"
    else:
        status, key = Status.UNKNOWN, "straddles"
    return _make(status, limit, key, found=found, value=value, interval=interval, probability=p)


def _censored(limit: Limit, window: Acceptance, below: float, found: Property) -> Verdict:
    interval = (0.0, below)
    if window.contains(0.0) and window.contains(below):
        return _make(Status.PASS, limit, "below_detection", found=found, interval=interval)
    if not _overlaps(window, 0.0, below):
        return _make(Status.FAIL, limit, "outside", found=found, interval=interval)
    return _make(Status.UNKNOWN, limit, "detection_too_high", found=found, interval=interval)


def _overlaps(window: Acceptance, low: float, high: float) -> bool:
    return not ((window.high is not None and low > window.high) or (window.low is not None and high < window.low))


def _scale(limit: Limit, found: Property) -> float:
    same = {"wt%": "%", "": "1"}
    a, b = same.get(found.unit, found.unit), same.get(limit.unit, limit.unit)
    if a == b:
        return 1.0
    try:
        return parse(1 if a == "1" else f"1 {a}", "" if b == "1" else b, what=limit.property)
    except UnitError:
        raise UnitError(
            f"{limit.property} = {found.value:g} {found.unit or '(no unit)'}: {limit.standard} limits it in "
            f"{limit.unit or 'no unit'}; give it in that unit."
        ) from None


def _missing(limit: Limit) -> Verdict:
    how = limit.method or limit.leaching
    return _make(Status.UNKNOWN, limit, "measure", names=limit.property, note=f" ({how})" if how else "")


def _squeeze(text: str) -> str:
    return text.replace(" ", "").replace("/", "").upper()


def _make(
    status: Status,
    limit: Limit,
    key: str,
    *,
    names: str = "",
    note: str = "",
    found: Property | None = None,
    value: float | None = None,
    interval: tuple[float, float] | None = None,
    probability: float | None = None,
) -> Verdict:
    reported = ""
    if value is not None and limit.decimals is not None:
        reported = str(round_half_even(value, limit.decimals))
    words = {"names": names, "note": note, "limit": limit.text, "label": limit.label}
    suffix = {"en": "", "zh": ""}
    if reported:
        suffix = {k: tr("verdict.reported", k, value=reported) for k in suffix}
    return Verdict(
        status=status,
        limit=limit,
        reason=tr(f"verdict.{key}", "en", **words) + suffix["en"],
        reason_zh=tr(f"verdict.{key}", "zh", **words) + suffix["zh"],
        value=value if value is not None else (found.value if found and found.below is None else None),
        interval=interval,
        probability=probability,
        evidence_value=found.evidence if found else Evidence.PRIMARY,
    )

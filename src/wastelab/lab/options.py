"""What a person says about an upload besides the files."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from ..errors import LabError, UnknownNameError, suggest
from ..i18n import near, say
from ..instruments import vocabulary
from ..instruments.checks import storable
from . import schema as s
from .register import check_date

_AGE = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(d|days?|天|日|h|hours?|小时|时|w|weeks?|周)\s*", re.I)
_PER_DAY = {"h": 24.0, "时": 24.0, "小": 24.0, "d": 1.0, "天": 1.0, "日": 1.0}


@dataclass(frozen=True)
class Options:
    """What a person says about an upload besides the files.

    Attributes
    ----------
    sample, mix, specimen : str
        Code of what was measured; one of them at most.
    operator : str
        Who measured, where the file does not say.
    method, instrument, measured_at : str
        Test method, code of a registered instrument, date or time; they replace what the file says, which is kept.
    basis : str
        Basis of contents where the file does not say.
    technique : str
        Technique of the file, if it holds one.
    waste_class, source : str
        Class and source of samples that are new.
    create_samples : bool
        Whether names that are not registered become samples of `waste_class`.
    allow : tuple of str
        Gates whose refusal may pass as a warning; needs a `reason`.
    reason : str
    visibility, licence : str
    supersedes : str
        Uid of the measurement that the file's one measurement replaces.
    age : str
        Age of the specimen, e.g. ``"28 d"``.
    """

    sample: str = ""
    mix: str = ""
    specimen: str = ""
    operator: str = ""
    method: str = ""
    instrument: str = ""
    measured_at: str = ""
    basis: str = ""
    technique: str = ""
    waste_class: str = ""
    source: str = ""
    create_samples: bool = False
    allow: tuple[str, ...] = ()
    reason: str = ""
    visibility: str = "group"
    licence: str = ""
    supersedes: str = ""
    age: str = ""

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Options:
        """Checked options.

        Raises
        ------
        LabError
            If an option or gate does not exist, a value cannot be, or a gate is to be passed without a reason.
        """
        from .gates import GATES, allowable

        known = {f.name for f in fields(cls)}
        for name in given:
            if name not in known:
                raise LabError(
                    f"There is no option {name!r}.{suggest(name, known)} Options: {', '.join(sorted(known))}."
                )
        values = {k: v for k, v in given.items() if v is not None}
        allow = values.get("allow", ())
        allow = (allow,) if isinstance(allow, str) else tuple(allow)
        values["allow"] = allow = tuple(name.strip().replace("-", "_") for name in allow)
        gates = {"format", *(g.name for g in GATES)}
        for name in allow:
            if name not in gates:
                listed = say("error.gates", gates=", ".join(sorted(gates)))
                raise LabError(say("error.no_gate", gate=name) + near(name, gates) + listed)
            if not allowable(name):
                raise LabError(say("error.never_gate", gate=name))
        if allow and not str(values.get("reason", "")).strip():
            raise LabError(say("error.allow_reason", gates=", ".join(allow)))
        return cls(**values)._checked()

    def _checked(self) -> Options:
        values = asdict(self)
        for name in (f.name for f in fields(self) if f.name not in ("create_samples", "allow")):
            if not isinstance(values[name], str):
                raise LabError(f"{name} = {values[name]!r}: expected text.")
            if not storable(values[name]):
                raise LabError(f"{name} = {values[name]!a}: holds bytes that are no text.")
            values[name] = values[name].strip()
        targets = [k for k in ("sample", "mix", "specimen") if values[k]]
        if len(targets) > 1:
            raise LabError(say("error.two_targets", names=" + ".join(targets)))
        if self.visibility not in s.VISIBILITIES:
            raise LabError(
                f"visibility = {self.visibility!r} is not one of {', '.join(s.VISIBILITIES)}."
                f"{suggest(self.visibility, s.VISIBILITIES)}"
            )
        if self.basis:
            values["basis"] = vocabulary.basis(self.basis)
            if not values["basis"]:
                raise LabError(say("error.one_of", what="basis", value=self.basis, known=", ".join(s.BASES[1:])))
        if self.waste_class:
            from ..chemistry import WASTE_CLASSES

            values["waste_class"] = vocabulary.waste_class(self.waste_class)
            if not values["waste_class"]:
                known_classes = ", ".join(WASTE_CLASSES)
                raise LabError(
                    say("error.one_of", what="waste_class", value=self.waste_class, known=known_classes)
                    + near(self.waste_class, WASTE_CLASSES)
                )
        if self.technique:
            try:
                values["technique"] = vocabulary.technique(self.technique).code
            except UnknownNameError as exc:
                raise LabError(str(exc)) from None
        if self.measured_at:
            values["measured_at"] = check_date(self.measured_at, "measured_at")
        if self.age and age_days(self.age) is None:
            raise LabError(say("error.age", age=self.age))
        return Options(**values)

    @property
    def target(self) -> tuple[str, str]:
        """Kind and code of what was measured, as given; empty texts if not given."""
        for kind in ("specimen", "mix", "sample"):
            if getattr(self, kind):
                return kind, str(getattr(self, kind))
        return "", ""

    def given(self) -> dict[str, Any]:
        """What differs from the defaults, JSON-able."""
        return {
            f.name: list(value) if isinstance(value := getattr(self, f.name), tuple) else value
            for f in fields(self)
            if getattr(self, f.name) != f.default
        }


def age_days(text: str) -> float | None:
    """An age in days (``"28 d"``, ``"28天"``, ``"24 h"``, ``"4 weeks"``), or None if it has no unit or is none."""
    match = _AGE.fullmatch(text)
    if match is None:
        return None
    number = float(match[1].replace(",", "."))
    mark = match[2][0].lower()
    return number * 7.0 if mark in ("w", "周") else number / _PER_DAY[mark]

"""What an upload did: stored, refused, or there already; for people in their language, and for programs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from ..i18n import DEFAULT, tr
from .drafts import Draft, Finding

Outcome = Literal["stored", "duplicate", "refused", "dry_run", "skipped"]
#: Most measurements and findings that `Receipt.text` lists one by one.
MOST_LINES = 30
#: Most remarks of the reader that it lists.
MOST_NOTES = 8
#: A file with so many faults may have more: reading lists no further ones.
CAPPED = 200


@dataclass(frozen=True)
class Receipt:
    """What became of one file, or of one call of `ingest`.

    Attributes
    ----------
    file, sha256 : str
    outcome : {"stored", "duplicate", "refused", "dry_run", "skipped"}
    upload : str
        Uid of the upload's record; empty where none was written.
    event : str
        Hash of the audit event: whoever keeps it can prove later that nothing was rewritten.
    measurements : sequence of dict
        ``uid``, ``sample`` (code of the sample, mix or specimen), ``target``, ``technique``, ``n_values``,
        ``n_points``, ``status``, ``flags``, ``completeness``, ``replicate``.
    new_samples : sequence of str
        Codes.
    findings : sequence of Finding
    earlier : str
        Uid of the upload that stored the same file before.
    reader : str
    message : str
        Key of one more text, or empty.
    new_mixes, new_specimens : sequence of str
        Codes.
    present : mapping of str to sequence of str
        Codes that the file registers and that were there with the same data, by kind.
    """

    file: str
    sha256: str = ""
    outcome: Outcome = "stored"
    upload: str = ""
    event: str = ""
    measurements: Sequence[Mapping[str, Any]] = ()
    new_samples: Sequence[str] = ()
    findings: Sequence[Finding] = field(default_factory=tuple)
    earlier: str = ""
    reader: str = ""
    message: str = ""
    new_mixes: Sequence[str] = ()
    new_specimens: Sequence[str] = ()
    present: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether anything forbade storing it."""
        return any(f.severity == "refuse" for f in self.findings)

    @property
    def ok(self) -> bool:
        """Whether the file is in the laboratory, would be (dry run), or needed not be."""
        return self.outcome != "refused" and not (self.outcome == "dry_run" and self.refused)

    def text(self, lang: str = DEFAULT) -> str:
        """The receipt as a few lines for people."""
        colon = ":" if lang == "zh" else ": "
        what: str = self.outcome
        if what == "dry_run":
            what = "dry_refused" if self.refused else "dry_ok"
        elif what == "refused" and not self.sha256:
            what = "unreadable"
        words = {"measurements": len(self.measurements), "samples": len({m["sample"] for m in self.measurements}),
                 "earlier": self.earlier}  # fmt: skip
        area = "receipt"
        new = len(self.new_samples) + len(self.new_mixes) + len(self.new_specimens)
        there = sum(len(codes) for codes in self.present.values())
        if what in ("stored", "dry_ok") and not self.measurements and new + there:
            area, words = "register", {"new": new, "present": there}
        lines = [f"{self.file}{colon if self.file else ''}{tr(f'{area}.{what}', lang, **words)}"]
        if self.message:
            lines.append("  " + tr(f"receipt.{self.message}", lang, **words))
        lines += [
            "  "
            + tr(key, lang, count=len(codes), names=", ".join(codes[:MOST_LINES]) + " …" * (len(codes) > MOST_LINES))
            for key, codes in (
                ("receipt.new_samples", self.new_samples),
                ("register.new_mixes", self.new_mixes),
                ("register.new_specimens", self.new_specimens),
                *((f"register.present_{kind}", codes) for kind, codes in self.present.items()),
            )
            if codes
        ]
        if self.outcome != "refused":
            lines += [f"  {self._line(m, lang)}" for m in self.measurements[:MOST_LINES]]
            lines += self._more(len(self.measurements), lang)
        notes = list(dict.fromkeys(note for m in self.measurements for note in m.get("notes", ())))
        lines += [f"  {tr('receipt.reader_note', lang, note=note)}" for note in notes[:MOST_NOTES]]
        groups: dict[str, dict[str, str]] = {}  # what is said: each whole sentence, with its severity
        printed: set[str] = set()
        for f in sorted(self.findings, key=lambda f: f.severity):  # refusals first; a sentence of two gates once
            said = f"{f.severity} {replace(f, file='', where='', sample='').text(lang)}"
            sentence = f.text(lang)
            if sentence not in printed:
                printed.add(sentence)
                groups.setdefault(said, {})[sentence] = f.severity
        for alike in list(groups.values())[:MOST_LINES]:
            sentence, severity = next(iter(alike.items()))
            key = "receipt.alike_least" if len(self.findings) >= CAPPED else "receipt.alike"
            more = tr(key, lang, count=len(alike) - 1) if len(alike) > 1 else ""
            lines.append(f"  {tr(f'receipt.{severity}', lang)}{colon}{sentence}{more}")
        lines += self._more(len(groups), lang)
        lines += [f"  {line}" for line in self._hints(lang)]
        if self.event and self.outcome in ("stored", "refused"):
            lines.append("  " + tr("receipt.event", lang, event=self.event))
        return "\n".join(lines)

    def _hints(self, lang: str) -> list[str]:
        """What became of a refused file, and how it may pass all the same."""
        if self.outcome != "refused" or not self.sha256:
            return []
        from .gates import allowable

        refusing = dict.fromkeys(f.gate for f in self.findings if f.severity == "refuse")
        gates = [name for name in refusing if allowable(name)]
        hints = [tr("gate.nothing_stored", lang)]
        if gates:
            hints.append(tr("gate.allow_hint", lang, gate=" --allow ".join(gates)))
        return hints

    @staticmethod
    def _line(m: Mapping[str, Any], lang: str) -> str:
        parts = [str(m["sample"]), str(m["technique"])]
        if m["n_values"]:
            parts.append(tr("receipt.n_values", lang, count=m["n_values"]))
        if m["n_points"]:
            parts.append(tr("receipt.n_points", lang, count=m["n_points"]))
        if m["completeness"] == "partial":
            parts.append(tr("receipt.partial", lang))
        if m["flags"]:
            parts.append("[" + ", ".join(m["flags"]) + "]")
        return "  ".join([*parts, str(m["uid"])])

    @staticmethod
    def _more(count: int, lang: str) -> list[str]:
        return [f"  {tr('receipt.more', lang, count=count - MOST_LINES)}"] if count > MOST_LINES else []

    def to_dict(self) -> dict[str, Any]:
        """For ``--json``: every attribute, `ok`, and the findings with their texts."""
        said = tr(f"receipt.{self.message}", earlier=self.earlier) if self.message else ""
        return {
            "file": self.file, "sha256": self.sha256, "outcome": self.outcome, "ok": self.ok, "upload": self.upload,
            "event": self.event, "measurements": [dict(m) for m in self.measurements],
            "new_samples": list(self.new_samples), "findings": [f.to_dict() for f in self.findings],
            "earlier": self.earlier, "reader": self.reader, "message": said, **self._registered(),
        }  # fmt: skip

    def stored(self) -> dict[str, Any]:
        """What is kept of it in the catalogue."""
        return {
            "measurements": [dict(m) for m in self.measurements], "new_samples": list(self.new_samples),
            "findings": [finding_record(f) for f in self.findings], "reader": self.reader, **self._registered(),
        }  # fmt: skip

    def _registered(self) -> dict[str, Any]:
        return {
            "new_mixes": list(self.new_mixes), "new_specimens": list(self.new_specimens),
            "present": {kind: list(codes) for kind, codes in self.present.items()},
        }  # fmt: skip


def finding_record(finding: Finding) -> dict[str, Any]:
    """A finding as JSON, from which `finding_of` makes it again."""
    out = asdict(finding)
    out["said"] = replace(finding, file="", where="", sample="").text()
    out["values"] = {k: v if isinstance(v, str | int | float | bool) else str(v) for k, v in finding.values.items()}
    return out


def finding_of(record: Mapping[str, Any]) -> Finding:
    """The way back of `finding_record`; in the English of then, where this version has no such text any more."""
    body = {k: v for k, v in record.items() if k != "said"}
    finding = Finding(**body)
    try:
        finding.text()
    except (KeyError, IndexError, ValueError):
        return replace(finding, key="receipt.said", remedy="", values={"message": record.get("said", "")})
    return finding


def summary(draft: Draft) -> dict[str, Any]:
    """What a receipt says of one measurement."""
    r = draft.record
    points = max((max(v.data.shape, default=1) for v in draft.variables.values()), default=0)
    flags = sorted({f.gate for f in draft.findings if f.severity == "warn"})
    return {
        "uid": r["uid"], "sample": draft.code, "target": draft.target, "technique": r["technique"],
        "n_values": len(draft.values), "n_points": int(points), "status": r["status"], "flags": flags,
        "completeness": r["completeness"], "replicate": r["replicate"],
        "notes": list(draft.reading.warnings)[:MOST_NOTES],
    }  # fmt: skip

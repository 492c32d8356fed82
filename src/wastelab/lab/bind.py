"""Which sample, mix or specimen each reading of a file belongs to, and which samples the file makes.

The order: what a person says, the specimen or mix column, the sample's name in the file (its exact code; another case
or width only if one code fits). A name that nobody registered is refused unless a class is stated for it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sqlalchemy import Connection

from ..chemistry import WASTE_CLASSES
from ..errors import LabError
from ..instruments import vocabulary
from ..instruments.base import Reading
from .drafts import Finding
from .entities import Record, canonical
from .options import Options
from .register import PROCESS_STEPS, check_date
from .store import uuid7
from .targets import KINDS, Codes, Sources, Target, fold, lookup

#: Columns of a sheet that describe a sample; where it is registered already they are kept with the measurement.
#: Readers of sheets, in which a person wrote the sample's code; an instrument's own name of a sample is a note.
SHEETS = frozenset(("sheet",))
SAMPLE_FIELDS = ("waste_class", "source", "parent", "process", "collected_at")
_STEPS = {"原样": "as_received", "缩分": "split", "烘干": "dried", "干燥": "dried", "粉磨": "ground", "磨细": "ground",
          "研磨": "ground", "筛分": "sieved", "过筛": "sieved", "煅烧": "calcined", "焙烧": "calcined",
          "水洗": "washed", "洗涤": "washed", "浸出": "leached", "混合": "blended", "均化": "blended"}  # fmt: skip

_SPACED = re.compile(r"(?<=\d)\s+(?=(?:degC|°C|℃|K|d|h|min|days?|hours?|天|小时|分钟)(?![a-z]))")
_DEGREES = re.compile(r"(\d+(?:\.\d+)?)(degC|°C|℃|K)")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(d|days?|天|h|hours?|小时|min|分钟)", re.I)
_TIMES = {"d": "d", "天": "d", "h": "h", "小": "h", "m": "min", "分": "min"}

#: How many unknown names of a file get suggestions, and how long the code of a new sample may be.
MOST_GUESSES, LONGEST_CODE = 20, 100

_Asked = tuple[tuple[str, ...], str]


class Binder:
    """Targets of the readings of one file.

    Attributes
    ----------
    targets : list of Target
        One a reading; where nothing was found, a stand-in with `known` False, and a finding.
    samples : list of dict
        Records of new samples, parents first.
    findings : list of Finding

    Parameters
    ----------
    made : mapping of (kind, code) to Target, optional
        What the same file registers.
    """

    def __init__(
        self,
        conn: Connection,
        file: str,
        options: Options,
        codes: Codes,
        readings: Sequence[Reading],
        group: str = "",
        made: Mapping[tuple[str, str], Target] | None = None,
    ) -> None:
        self.conn = conn
        self.file = file
        self.options = options
        self.group = group
        self.findings: list[Finding] = []
        self._codes = codes
        self._fresh = False
        self._sources: Sources | None = None
        self._new: dict[str, Record] = {}
        self._guesses = 0
        self._spelled: dict[str, Target] = {}
        self._bound: dict[_Asked, Target] = {}
        asked = [self._asked(r) for r in readings]
        wanted: dict[str, set[str]] = {kind: set() for kind in KINDS}
        for kinds, name in asked:
            for kind in kinds:
                wanted[kind].add(name)
        for reading in readings:
            if parent := _field(reading, "parent"):
                wanted["sample"].add(parent)
        self._known = lookup(conn, wanted) | dict(made or {})
        self._described = self._describe(readings, asked)
        self.targets = [self._bind(a, r) for a, r in zip(asked, readings, strict=True)]
        self._one_sample(readings)
        self._same_class(readings)
        self.samples = self._ordered()

    # -- which name
    def _asked(self, reading: Reading) -> _Asked:
        """The kinds of target to look in, in order, and the name to look for."""
        kind, name = self.options.target
        if kind:
            return (kind,), name
        specimen, mix = _field(reading, "specimen"), _field(reading, "mix")
        if specimen and mix:
            return ("specimen", "mix"), specimen
        if specimen:
            return ("specimen",), specimen
        if mix:
            return ("mix",), mix
        name = reading.sample.strip() if isinstance(reading.sample, str) else ""
        return (KINDS, name) if name else ((), "")

    def _bind(self, asked: _Asked, reading: Reading) -> Target:
        kinds, name = asked
        if kinds == ("specimen", "mix"):  # a number on a cube is seldom registered, its mix is
            found = self._existing(("specimen",), name)
            asked = kinds, name = (("specimen",), name) if found else (("mix",), _field(reading, "mix"))
            if not found and ("mix", name) not in self._known:
                self._known |= lookup(self.conn, {"mix": [name]})
        if asked not in self._bound:
            self._bound[asked] = self._resolve(kinds, name, reading)
        return self._bound[asked]

    def _existing(self, kinds: tuple[str, ...], name: str) -> Target | None:
        """What is registered under a name; of another case or width if only one is."""
        for kind in kinds:
            if (kind, name) in self._known:
                return self._known[(kind, name)]
        if name in self._new:
            return None
        if not self._fresh:
            self._codes.refresh(self.conn)
            self._fresh = True
        alike = [(kind, code) for kind in kinds for code in self._codes.alike(kind, name)]
        if len(alike) == 1:
            kind, code = alike[0]
            found = lookup(self.conn, {kind: [code]})
            self._known |= found
            return found.get((kind, code))
        return None

    def _resolve(self, kinds: tuple[str, ...], name: str, reading: Reading) -> Target:
        if not name:
            self._find(reading, "receipt.no_sample", "receipt.name_sample")
            return Target("sample", "", uuid7(), known=False)
        found = self._existing(kinds, name)
        if found is not None:
            return found
        alike = [code for kind in kinds for code in self._codes.alike(kind, name)]
        if len(alike) > 1:
            self._find(reading, "receipt.ambiguous_sample", "receipt.exact_sample", name, near=", ".join(alike))
            return Target(kinds[0], name, uuid7(), known=False)
        if "sample" in kinds:
            stated = self._described.get(name, {}).get("waste_class", ("", ""))[0]
            if not stated and self.options.create_samples:
                stated = self.options.waste_class
            if fold(name) in self._spelled:
                return self._spelled[fold(name)]
            if stated:
                made = self._make(name, stated, reading)
                if made.known:
                    self._spelled[fold(name)] = made
                return made
        near = self._near(kinds, name)
        kind = kinds[0]
        self._find(
            reading, f"receipt.unknown_{kind}", f"receipt.add_{kind}", name, near=", ".join(near[:3]) or "-"
        )  # fmt: skip
        return Target(kind, name, uuid7(), known=False)

    def _near(self, kinds: tuple[str, ...], name: str) -> list[str]:
        """Codes like a name; only for the first few names, because looking is slow."""
        self._guesses += 1
        if self._guesses > MOST_GUESSES:
            return []
        return [code for kind in kinds for code in self._codes.near(kind, name)]

    # -- new samples
    def _describe(self, readings: Sequence[Reading], asked: Sequence[_Asked]) -> dict[str, dict[str, tuple[str, str]]]:
        """What the file says of each sample: field to (text, where)."""
        out: dict[str, dict[str, tuple[str, str]]] = {}
        for reading, (kinds, name) in zip(readings, asked, strict=True):
            if "sample" not in kinds:
                continue
            said = out.setdefault(name, {})
            for key in SAMPLE_FIELDS:
                text = _field(reading, key)
                if not text:
                    continue
                if key in said and said[key][0] != text:
                    self._find(
                        reading, "receipt.two_ways", "", name, gate="schema", field=key, first=said[key][0],
                        place=said[key][1], second=text,
                    )  # fmt: skip
                said.setdefault(key, (text, reading.where))
        return out

    def _make(self, code: str, stated: str, reading: Reading) -> Target:
        """A new sample of a stated class."""
        waste_class = vocabulary.waste_class(stated) or stated
        said = {key: text for key, (text, _) in self._described.get(code, {}).items()}
        uid = uuid7()
        if waste_class not in WASTE_CLASSES:
            self._find(
                reading,
                "receipt.unknown_class",
                "receipt.classes",
                code,
                found=stated,
                classes=", ".join(WASTE_CLASSES),
            )
            return Target("sample", code, uid, known=False)
        if len(code) > LONGEST_CODE or not code.isprintable():
            self._find(reading, "receipt.bad_code", "", code[:LONGEST_CODE], most=LONGEST_CODE)
            return Target("sample", code, uid, known=False)
        record: Record = {
            "uid": uid, "code": code, "waste_class": waste_class, "grp": self.group,
            "visibility": self.options.visibility, "licence": self.options.licence,
        }  # fmt: skip
        self._new[code] = record
        source = said.get("source") or self.options.source
        if source:
            record["source"] = self._source(source, code, reading)
        if said.get("process"):
            record["process"] = canonical(process_step(said["process"]))
        if said.get("collected_at"):
            try:
                record["collected_at"] = check_date(said["collected_at"], "collected_at")
            except LabError as exc:
                self._find(reading, "receipt.form", "", code, gate="schema", problem=str(exc))
        if said.get("parent"):
            record["parent"] = self._parent(said["parent"], code, reading)
        return Target("sample", code, uid, None, waste_class, said.get("process", ""))

    def _source(self, name: str, sample: str, reading: Reading) -> str | None:
        """Uid of a source by its code, or its name if only one has it."""
        if self._sources is None:
            self._sources = Sources(self.conn)
        found = self._sources.find(name)
        if found is None:
            self._guesses += 1
            near = self._sources.near(name) if self._guesses <= MOST_GUESSES else []
            self._find(
                reading,
                "receipt.unknown_source",
                "receipt.add_source",
                sample,
                source=name,
                near=", ".join(near) or "-",
            )
        return found

    def _parent(self, name: str, sample: str, reading: Reading) -> str | None:
        """Uid of the sample that a new one was made from."""
        if name != sample:
            if name in self._new:
                return str(self._new[name]["uid"])
            known = self._existing(("sample",), name)
            if known is not None:
                return known.uid
            if self._described.get(name, {}).get("waste_class") or (
                name in self._described and self.options.create_samples and self.options.waste_class
            ):
                asked = (KINDS, name)
                if asked not in self._bound:
                    self._bound[asked] = self._resolve(KINDS, name, reading)
                return self._bound[asked].uid
        near = [c for c in self._near(("sample",), name) if c != sample]
        self._find(reading, "receipt.unknown_parent", "receipt.add_sample", sample, parent=name, code=name,
                   near=", ".join(near) or "-")  # fmt: skip
        return None

    def _ordered(self) -> list[Record]:
        """New samples, parents before what was made from them."""
        by_uid = {r["uid"]: r for r in self._new.values()}
        out: list[Record] = []
        done: set[str] = set()
        for record in self._new.values():
            chain = []
            at: Record | None = record
            while at is not None and at["uid"] not in done:
                if at in chain:
                    self.findings.append(
                        Finding(
                            "sample_identity", "refuse", "receipt.circle", values={"code": at["code"]}, file=self.file
                        )
                    )
                    break
                chain.append(at)
                at = by_uid.get(at.get("parent"))
            for item in reversed(chain):
                done.add(item["uid"])
                out.append(item)
        return out

    # -- checks over the whole file
    def _one_sample(self, readings: Sequence[Reading]) -> None:
        """A sample given for the whole file fits a file of one sample only."""
        kind, code = self.options.target
        if not kind:
            return
        names = sorted({r.sample.strip() for r in readings if isinstance(r.sample, str) and r.sample.strip()})
        if len(names) > 1:
            values = {"code": code, "names": ", ".join(names[:8])}
            self.findings.append(
                Finding(
                    "sample_identity", "refuse", "receipt.several_samples", "receipt.drop_option", values, self.file
                )
            )
        elif names and kind == "sample" and fold(names[0]) != fold(code):
            if any(r.reader in SHEETS and r.sample.strip() for r in readings):  # a sheet says whose result it is
                values = {"name": names[0], "code": code}
                self.findings.append(
                    Finding(
                        "sample_identity", "refuse", "receipt.sheet_sample", "receipt.drop_option", values, self.file,
                        "", code,
                    )
                )  # fmt: skip
                return
            other = self._existing(("sample",), names[0])
            if other is not None and other.code != code:
                values = {"name": other.code, "code": code}
                self.findings.append(
                    Finding("sample_identity", "warn", "receipt.other_sample", "", values, self.file, "", code)
                )

    def _same_class(self, readings: Sequence[Reading]) -> None:
        """The class a sheet states for a registered sample must be that sample's."""
        told: set[str] = set()
        for reading, target in zip(readings, self.targets, strict=True):
            stated = _field(reading, "waste_class")
            if not stated or target.kind != "sample" or not target.known or target.code in told:
                continue
            if (vocabulary.waste_class(stated) or stated) != target.waste_class:
                told.add(target.code)
                self._find(
                    reading, "receipt.other_class", "receipt.correct_class", target.code, stated=stated,
                    registered=target.waste_class,
                )  # fmt: skip

    def _find(
        self,
        reading: Reading,
        key: str,
        remedy: str,
        sample: str = "",
        *,
        gate: str = "sample_identity",
        **values: object,
    ) -> None:
        values.setdefault("code", sample)
        self.findings.append(Finding(gate, "refuse", key, remedy, values, self.file, reading.where, sample))


def _field(reading: Reading, name: str) -> str:
    fields: Mapping[str, str] = reading.fields
    text = fields.get(name, "")
    return text.strip() if isinstance(text, str) else ""


def process_step(text: str) -> dict[str, str]:
    """A step of treatment (``"烘干"``, ``"calcined 700 degC 2 h"``); words that are none are kept as they are."""
    body = " ".join(text.split())
    first = _first_step(body)
    if not first:
        return {"step": "other", "note": body}
    out = {"step": _STEPS.get(first) or first.lower().replace(" ", "_")}
    rest = [t for t in re.split(r"[,，、;；\s]+", _SPACED.sub("", body[len(first) :].lstrip(" :：-"))) if t]
    others = []
    for token in rest:
        degrees, times = _DEGREES.fullmatch(token), _TIME.fullmatch(token)
        if degrees and "temperature" not in out:
            out["temperature"] = f"{degrees[1]} {'K' if degrees[2] == 'K' else 'degC'}"
        elif times and "duration" not in out:
            out["duration"] = f"{times[1]} {_TIMES[times[2][0].lower()]}"
        else:
            others.append(token)
    return out | ({"note": " ".join(others)} if others else {})


def _first_step(text: str) -> str:
    """The step that a text begins with, as it is written there."""
    for word in sorted((*_STEPS, *PROCESS_STEPS), key=len, reverse=True):
        start = text[: len(word)]
        ends = text[len(word) : len(word) + 1]
        if start.lower().replace(" ", "_") == word and not (word.isascii() and ends.isalpha()):
            return start
    return ""

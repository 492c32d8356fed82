"""Samples, mixes and specimens that a sheet registers: planned as a whole, checked by `register.prepare`.

What is registered already with the same data is counted as there; with other data it is refused, because nothing that
was recorded is overwritten by an upload. Cells that are empty say nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, select

from ..chemistry import WASTE_CLASSES
from ..errors import LabError, UnknownNameError
from ..instruments import vocabulary
from ..instruments.base import Reading
from .bind import LONGEST_CODE, MOST_GUESSES, process_step
from .drafts import Finding
from .enroll_rows import (
    COMPONENT,
    NUMBERS,
    REGISTERS,
    Item,
    equal,
    form_fault,
    place_of,
    plain_text,
    registers,
    same_part,
)
from .entities import ENTITIES, Record, canonical, load
from .options import Options
from .register import prepare
from .store import uuid7
from .targets import Codes, Sources, Target, fold, lookup

__all__ = ["Enrolment", "registers"]


class _Resolved:
    """What `prepare` asks of an act, where every reference is a uid already and no code is taken."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn

    def uid(self, name: str, label: str) -> str:
        """The uid it was given."""
        return label

    def find(self, name: str, label: str) -> int | None:
        """None: the codes were looked up before."""
        return None


class Enrolment:
    """What the rows of one file register.

    Attributes
    ----------
    samples, mixes, specimens : list of dict
        New records; parents before what was made from them.
    present : dict of str to list of str
        Codes that are registered already with the same data, by kind.
    made : dict of (kind, code) to Target
        What is new, for results in the same file.
    findings : list of Finding
    """

    def __init__(
        self,
        conn: Connection,
        file: str,
        options: Options,
        codes: Codes,
        readings: Sequence[Reading],
        group: str = "",
    ) -> None:
        self.conn = conn
        self.file = file
        self.options = options
        self.group = group
        self.samples: list[Record] = []
        self.mixes: list[Record] = []
        self.specimens: list[Record] = []
        self.present: dict[str, list[str]] = {}
        self.made: dict[tuple[str, str], Target] = {}
        self.findings: list[Finding] = []
        self._codes = codes
        self._sources: Sources | None = None
        self._found: dict[tuple[str, str], Target | None] = {}
        self._guesses = 0
        if not readings:
            return
        self._whole_file(readings)
        codes.refresh(conn)
        self._items = self._gathered(readings)
        wanted: dict[str, set[str]] = {kind: set() for kind in REGISTERS}
        for item in self._items.values():
            wanted[item.kind].add(item.code)
        self._known = lookup(conn, wanted)
        ids: dict[str, list[int]] = {kind: [] for kind in REGISTERS}
        for (kind, _), target in self._known.items():
            if target.key is not None:
                ids[kind].append(target.key)
        self._stored = {
            kind: {r["code"]: r for r in load(conn, kind, keys).values()} for kind, keys in ids.items() if keys
        }
        self._spelled()
        self._uids = {
            key: self._known[key].uid if key in self._known else uuid7() for key in self._items
        }  # fmt: skip
        self._enrol_samples()
        for item in self._of("mix"):
            self._enrol_mix(item)
        for item in self._of("specimen"):
            self._enrol_specimen(item)

    # -- the rows
    def _whole_file(self, readings: Sequence[Reading]) -> None:
        """What forbids registering from this file at all, and what a person should know."""
        first = readings[0]
        kind, code = self.options.target
        if kind:
            self._find(first, "register.target", option=kind, code=code)
        told: set[str] = set()
        for reading in readings:
            if reading.completeness == "partial" and "cut" not in told:
                told.add("cut")
                self._find(reading, "register.cut")
            if reading.metadata.get("hidden"):
                self._find(reading, "register.hidden", severity="warn")
            other = reading.metadata.get("not_taken")
            for name, where in other.items() if isinstance(other, Mapping) else ():
                if f"{where} {name}" not in told:
                    told.add(f"{where} {name}")
                    self._find(reading, "register.not_taken", where=str(where), severity="warn", name=name)

    def _gathered(self, readings: Sequence[Reading]) -> dict[tuple[str, str], Item]:
        """Rows by what they register; two rows that contradict each other are refused."""
        out: dict[tuple[str, str], Item] = {}
        for reading in readings:
            kind, code = reading.technique, reading.sample.strip()
            places = reading.metadata.get("places")
            places = places if isinstance(places, Mapping) else {}
            if not code or len(code) > LONGEST_CODE or not code.isprintable():
                self._find(reading, "register.bad_code", code[:LONGEST_CODE], most=LONGEST_CODE)
                continue
            problem = form_fault(reading)
            if problem:
                self._find(reading, "receipt.form", code, problem=problem)
                continue
            item = out.setdefault((kind, code), Item(kind, code, reading))
            for key, text in reading.fields.items():
                text = text.strip()
                if not text or (kind == "mix" and key in COMPONENT):
                    continue
                where = str(places.get(key, reading.where))
                before = item.said.setdefault(key, (text, where))
                if before[0] != text:
                    self._find(
                        reading, "register.two_ways", code, where=where, field=key, first=plain_text(key, before[0]),
                        second=plain_text(key, text), place=before[1],
                    )  # fmt: skip
            if kind == "mix":
                item.parts.append((reading, reading.fields))
        return out

    def _of(self, kind: str) -> list[Item]:
        return [item for item in self._items.values() if item.kind == kind]

    def _spelled(self) -> None:
        """A new code must not differ from another one in case, width or blanks only."""
        seen: dict[tuple[str, str], str] = {}
        for kind, code in self._items:
            if (kind, code) in self._known:
                continue
            alike = [c for c in self._codes.alike(kind, code) if c != code]
            other = alike[0] if alike else seen.setdefault((kind, fold(code)), code)
            if other != code:
                self._find(self._items[kind, code].reading, "register.alike", code, other=other)

    # -- samples
    def _enrol_samples(self) -> None:
        items = self._of("sample")
        parents = {item.code: self._parent(item) for item in items if item.get("parent")}
        classes: dict[str, str] = {}
        for item in self._ordered(items, parents):
            stated = item.get("waste_class")
            waste_class = vocabulary.waste_class(stated) or stated
            parent = parents.get(item.code)
            if not waste_class and parent is not None:
                waste_class = classes.get(parent.code, parent.waste_class)
            waste_class = waste_class or self.options.waste_class
            classes[item.code] = waste_class
            fields: Record = {k: v for k, v in self._plain(item).items() if k not in ("waste_class", "source")}
            if stated:
                fields["waste_class"] = waste_class
            if item.get("process"):
                fields["process"] = canonical(process_step(item.get("process")))
            if item.get("parent"):
                fields["parent"] = parent.uid if parent else None
            if item.get("source"):
                fields["source"] = self._source(item, item.get("source"))
            if stated and waste_class not in WASTE_CLASSES:
                self._find(
                    item.reading, "receipt.unknown_class", item.code, "receipt.classes",
                    where=item.where("waste_class"), found=stated, classes=", ".join(WASTE_CLASSES),
                )  # fmt: skip
                continue
            if (item.kind, item.code) in self._known:
                self._compare(item, fields)
                continue
            if not waste_class:
                self._find(item.reading, "register.no_class", item.code, "receipt.classes",
                           classes=", ".join(WASTE_CLASSES))  # fmt: skip
                continue
            fields["waste_class"] = waste_class
            if not item.get("source") and self.options.source:
                fields["source"] = self._source(item, self.options.source)
            self._make(item, fields | self._shared(), self.samples, waste_class, item.get("process"))

    def _parent(self, item: Item) -> Target | None:
        """What a sample was made from: of this file, or registered."""
        name = item.get("parent")
        if ("sample", name) in self._items and name != item.code:
            known = self._known.get(("sample", name))
            return known or Target("sample", name, self._uids["sample", name])
        found = self._registered("sample", name) if name != item.code else None
        if found is None:
            self._find(
                item.reading, "receipt.unknown_parent", item.code, "register.add_parent", where=item.where("parent"),
                parent=name, near=self._near("sample", name, but=item.code),
            )  # fmt: skip
        return found

    def _ordered(self, items: Sequence[Item], parents: Mapping[str, Target | None]) -> list[Item]:
        """Samples, parents before what was made from them; circles are refused and left out."""
        mine = {item.code: item for item in items}
        out: list[Item] = []
        done: set[str] = set()
        for item in items:
            chain: list[Item] = []
            at: Item | None = item
            while at is not None and at.code not in done:
                if at in chain:
                    ring = [i.code for i in chain[chain.index(at) :]]
                    self._find(at.reading, "register.circle", at.code, where=at.where("parent"),
                               ring=" ← ".join([*ring, at.code]))  # fmt: skip
                    done.update(i.code for i in chain)
                    chain = []
                    break
                chain.append(at)
                parent = parents.get(at.code)
                at = mine.get(parent.code) if parent else None
            for link in reversed(chain):
                done.add(link.code)
                out.append(link)
        return out

    def _source(self, item: Item, name: str) -> str | None:
        if self._sources is None:
            self._sources = Sources(self.conn)
        found = self._sources.find(name)
        if found is None:
            self._find(
                item.reading, "receipt.unknown_source", item.code, "receipt.add_source", where=item.where("source"),
                source=name, near=", ".join(self._sources.near(name) if self._may_guess() else ()) or "-",
            )  # fmt: skip
        return found

    # -- mixes
    def _enrol_mix(self, item: Item) -> None:
        components: list[Record] = []
        sound = True
        for reading, said in item.parts:
            name = said.get("component", "").strip()
            found = self._component(reading, item.code, name)
            if found is None:
                sound = False
                continue
            part = {**found, "role": said.get("role", "").strip() or "binder", "fraction": float(said["fraction"])}
            if any(same_part(part, other) for other in components):
                sound = False
                self._find(reading, "register.component_twice", item.code, where=place_of(reading, "component"),
                           component=name)  # fmt: skip
            components.append(part)
        if not sound or not self._adds_up(item, components):
            return
        fields = {**self._plain(item), "components": components}
        if (item.kind, item.code) in self._known:
            self._compare(item, fields)
        else:
            self._make(item, fields | self._shared(), self.mixes)

    def _component(self, reading: Reading, mix: str, name: str) -> Record | None:
        """A sample of this file or laboratory, or a reference material."""
        if ("sample", name) in self._items:
            return {"sample": self._uids["sample", name]}
        found = self._registered("sample", name)
        if found is not None:
            return {"sample": found.uid}
        from ..reference import material, materials

        if "/" in name:
            try:
                return {"material": material(name).id}
            except UnknownNameError:
                pass
        near = "-"
        if self._may_guess():
            import difflib

            mine = [code for kind, code in self._items if kind == "sample"]
            cards = difflib.get_close_matches(name, [*mine, *materials()], n=3, cutoff=0.5)
            near = ", ".join([*self._codes.near("sample", name), *cards][:3]) or "-"
        key = "register.add_water" if vocabulary.component_role(name) == "water" else "register.add_component"
        self._find(reading, "register.unknown_component", mix, key, where=place_of(reading, "component"),
                   component=name, near=near)  # fmt: skip
        return None

    def _adds_up(self, item: Item, components: Sequence[Record]) -> bool:
        """Whether the binder shares of a mix sum to 100 % within 0.01 %."""
        binder = [c["fraction"] for c in components if c["role"] == "binder"]
        total = 100.0 * sum(binder)
        if binder and abs(total - 100.0) <= 0.01 + 1e-9:
            return True
        if binder:
            self._find(item.reading, "register.sum", item.code, "register.sum_remedy", total=float(f"{total:.6g}"),
                       count=len(binder))  # fmt: skip
        else:
            self._find(item.reading, "register.no_binder", item.code, "register.sum_remedy")
        return False

    # -- specimens
    def _enrol_specimen(self, item: Item) -> None:
        name = item.get("mix")
        mix = self._uids.get(("mix", name))
        if mix is None:
            found = self._registered("mix", name)
            if found is None:
                self._find(
                    item.reading, "register.unknown_mix", item.code, "register.add_mix", where=item.where("mix"),
                    mix=name, near=self._near("mix", name),
                )  # fmt: skip
                return
            mix = found.uid
        fields = {**self._plain(item), "mix": mix}
        if item.get("dimensions"):
            size = json.loads(item.get("dimensions"))
            edges = size.get("edges_mm", ())
            fields["geometry"] = ("cube" if len(set(edges)) == 1 else "prism") if edges else "cylinder"
        if (item.kind, item.code) in self._known:
            self._compare(item, fields)
        else:
            self._make(item, fields, self.specimens)

    # -- what is there, and what is made
    def _plain(self, item: Item) -> Record:
        """What is said of a thing, numbers as numbers."""
        return {k: float(v) if k in NUMBERS else v for k, (v, _) in item.said.items()}

    def _shared(self) -> Record:
        return {"grp": self.group, "visibility": self.options.visibility, "licence": self.options.licence}

    def _compare(self, item: Item, fields: Mapping[str, Any]) -> None:
        """Whether what is registered is what the sheet says; a finding for each field that is not."""
        stored = self._stored[item.kind][item.code]
        before = len(self.findings)
        for key, value in fields.items():
            if value is None or equal(key, stored.get(key), value):
                continue
            column = f"{key}_id" if f"{key}_id" in ENTITIES[item.kind].refs else key
            change = "register.change" if column in ENTITIES[item.kind].mutable else "register.new_code"
            self._find(
                item.reading, "register.differs", item.code, change, where=item.where(key), kind=item.kind, field=key,
                stored=self._shown(key, stored.get(key)), found=self._shown(key, value),
            )  # fmt: skip
        if len(self.findings) == before:
            self.present.setdefault(item.kind, []).append(item.code)

    def _shown(self, key: str, value: Any) -> str:
        """A stored field as people know it: codes instead of uids."""
        if value in (None, ""):
            return "-"
        if key in ("parent", "source", "mix"):
            return self._code_of("sample" if key == "parent" else key, value)
        if key == "components":
            names = [
                f"{c.get('material') or self._code_of('sample', c['sample'])} {c['role']} {100 * c['fraction']:.6g} %"
                for c in value
            ]
            return ", ".join(names)
        return f"{value:g}" if isinstance(value, float) else str(value)

    def _code_of(self, kind: str, uid: str) -> str:
        mine = next((code for (k, code), u in self._uids.items() if k == kind and u == uid), None)
        if mine is not None:
            return mine
        table = ENTITIES[kind].table
        return str(self.conn.execute(select(table.c.code).where(table.c.uid == uid)).scalar() or uid)

    def _make(
        self, item: Item, fields: Mapping[str, Any], into: list[Record], waste_class: str = "", subtype: str = ""
    ) -> None:
        """Check a new record as any other, and keep it."""
        try:
            record = prepare(_Resolved(self.conn), item.kind, {**fields, "code": item.code})
        except LabError as exc:
            self._find(item.reading, "receipt.form", item.code, problem=str(exc))
            return
        record["uid"] = uid = self._uids[item.kind, item.code]
        into.append(record)
        self.made[item.kind, item.code] = Target(item.kind, item.code, uid, None, waste_class, subtype)

    # -- names
    def _registered(self, kind: str, name: str) -> Target | None:
        """What is registered under a code; of another case or width if only one is."""
        if (kind, name) not in self._found:
            alike = self._codes.alike(kind, name)
            wanted = name if name in alike else alike[0] if len(alike) == 1 else ""
            found = lookup(self.conn, {kind: [wanted]}) if wanted else {}
            self._found[kind, name] = found.get((kind, wanted))
        return self._found[kind, name]

    def _may_guess(self) -> bool:
        self._guesses += 1
        return self._guesses <= MOST_GUESSES

    def _near(self, kind: str, name: str, but: str = "") -> str:
        """Codes like a name, of the laboratory and of this file."""
        if not self._may_guess():
            return "-"
        import difflib

        mine = [code for k, code in self._items if k == kind and code != but]
        found = dict.fromkeys([*difflib.get_close_matches(name, mine, n=3, cutoff=0.6), *self._codes.near(kind, name)])
        return ", ".join([c for c in found if c != but][:3]) or "-"

    def _find(
        self,
        reading: Reading,
        key: str,
        code: str = "",
        remedy: str = "",
        *,
        where: str = "",
        severity: Any = "refuse",
        **values: object,
    ) -> None:
        values.setdefault("code", code)
        sample = code if reading.technique == "sample" else ""
        if code and not sample:
            key = f"register.of_{reading.technique}+{key}"
        self.findings.append(
            Finding("schema", severity, key, remedy, values, self.file, where or reading.where, sample)
        )

"""From readings to rows: each reading is bound to its sample, converted, checked by every gate, and then stored.

`plan` decides and writes nothing; `commit` writes what was planned, inside one act. Nothing is ever copied from an
earlier result: a successor holds what its own file says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from sqlalchemy import Connection, select, update

from ..errors import LabError
from ..instruments.base import Reading
from ..instruments.checks import cleaned, curve_fault, fault
from . import schema as s
from .audit import Item
from .bind import Binder
from .convert import Converted, conditions, convert, date_of, replicate_of, technique_of
from .drafts import Context, Draft, Earlier, Finding
from .enroll import Enrolment, registers
from .entities import Record, canonical, digest, load
from .gates.leaching import canonical_method
from .options import Options, age_days
from .store import Act, Store, uuid7
from .supersede import Old, compare_days, same_numbers, supersede
from .targets import Codes, Target

__all__ = ["Options", "Plan", "commit", "curve_bytes", "plan"]


@dataclass(frozen=True, slots=True)
class Curve:
    """A curve encoded ahead of its act, with the names that its attributes carry."""

    technique: str
    code: str
    data: bytes


@dataclass
class Plan:
    """What an upload would store, and what the gates say of it.

    Attributes
    ----------
    file : str
    options : Options
    drafts : list of Draft
    samples : list of dict
        Records of new samples, parents first.
    mixes, specimens : list of dict
        Records of new mixes and specimens.
    present : dict of str to list of str
        Codes that a sheet registers and that are there already with the same data, by kind.
    findings : list of Finding
    superseded : list of int
        Internal keys of measurements that are retracted by the same act.
    curves : dict of int to Curve
        Curves encoded ahead, by number of the draft.
    """

    file: str
    options: Options
    drafts: list[Draft] = field(default_factory=list)
    samples: list[Record] = field(default_factory=list)
    mixes: list[Record] = field(default_factory=list)
    specimens: list[Record] = field(default_factory=list)
    present: dict[str, list[str]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    superseded: list[int] = field(default_factory=list)
    curves: dict[int, Curve] = field(default_factory=dict)

    @property
    def refused(self) -> bool:
        """Whether anything forbids storing it."""
        return any(f.severity == "refuse" for f in self.findings)


class _Without(Context):
    """A context in which the measurements that are being replaced do not count."""

    def __init__(self, conn: Connection, drafts: Sequence[Draft], without: frozenset[str]) -> None:
        super().__init__(conn, drafts)
        self._out = without

    def earlier(self, draft: Draft) -> list[Earlier]:
        """See `Context.earlier`."""
        found = super().earlier(draft)
        return [e for e in found if e.uid not in self._out] if self._out else found


def plan(
    store: Store,
    conn: Connection,
    readings: Sequence[Reading],
    file: str,
    options: Options,
    *,
    raw_sha: str | None = None,
    upload_uid: str | None = None,
    curves: Sequence[Curve | None] = (),
    replaces: Sequence[Old] = (),
    codes: Codes | None = None,
) -> Plan:
    """Bind readings to their samples, convert them and run every gate; nothing is written.

    Parameters
    ----------
    store : Store
    conn : Connection
        Of the act that will commit the plan, or of a read for a dry run.
    readings : sequence of Reading
    file : str
        Name of the file, for messages.
    options : Options
    raw_sha, upload_uid : str, optional
        Of the raw file and the upload.
    curves : sequence of Curve or None
        Encoded ahead by `curve_bytes`, one a reading.
    replaces : sequence of Old
        Earlier results of the same file; they are superseded.
    codes : Codes, optional
        Kept from plan to plan where many are made.

    Returns
    -------
    Plan
    """
    from .gates import allowable, run

    out = Plan(file, options)
    sound: list[int] = []
    for number, reading in enumerate(readings):
        wrong = fault(reading)
        if wrong:
            where = reading.where if isinstance(reading.where, str) else ""
            out.findings.append(
                Finding("schema", "refuse", "receipt.form", values={"problem": wrong}, file=file, where=where)
            )
        else:
            sound.append(number)
    codes, group = codes or Codes(), _group(conn, store.user)
    enrolment = Enrolment(
        conn, file, options, codes, [cleaned(readings[n]) for n in sound if registers(readings[n])], group
    )
    sound = [n for n in sound if not registers(readings[n])]
    given = [cleaned(readings[n]) for n in sound]
    binder = Binder(conn, file, options, codes, given, group, enrolment.made)
    out.findings += _same_technique(given, file, options)
    tools = _Tools(conn)
    for number, reading, target in zip(sound, given, binder.targets, strict=True):
        draft = _draft(reading, target, file, options, tools, raw_sha, upload_uid)
        if number < len(curves) and (curve := curves[number]) is not None:
            out.curves[len(out.drafts)] = curve
        out.drafts.append(draft)
    out.samples = [*enrolment.samples, *binder.samples]
    out.mixes, out.specimens, out.present = enrolment.mixes, enrolment.specimens, enrolment.present
    out.findings += [*enrolment.findings, *binder.findings]
    _number(conn, out.drafts, binder.targets)
    supersede(conn, out, replaces, store.user)
    without = frozenset(str(d.record["supersedes"]) for d in out.drafts if d.record["supersedes"])
    context = _Without(conn, out.drafts, without | {o.uid for o in replaces})
    same_numbers(out.drafts, context)
    pass_ = frozenset(name for name in options.allow if allowable(name))
    for draft in out.drafts:
        for finding in run([draft], context):
            passes = finding.severity == "refuse" and finding.gate in pass_
            draft.findings.append(replace(finding, severity="warn") if passes else finding)
        flags = sorted({f.gate for f in draft.findings if f.severity == "warn"})
        draft.record["flags"] = canonical(flags) if flags else ""
        out.findings += draft.findings
    return out


def commit(act: Act, plan: Plan) -> list[str]:
    """Write a plan and retract what it supersedes; returns the measurements' uids."""
    if plan.refused:
        raise LabError(f"{plan.file}: was refused and cannot be stored.")  # a fault of the caller
    act.insert_many("sample", plan.samples)
    act.insert_many("mix", plan.mixes)
    act.insert_many("specimen", plan.specimens)
    owners = [n for n, d in enumerate(plan.drafts) if d.variables]
    if owners:
        shas = act.put_curves([_curve(act.store, plan, n) for n in owners])
        for n, sha in zip(owners, shas, strict=True):
            plan.drafts[n].record["curve_sha"] = sha
    _retract(act, plan.superseded)
    act.insert_many("measurement", [d.record for d in plan.drafts])
    return [str(d.record["uid"]) for d in plan.drafts]


def _retract(act: Act, keys: Sequence[int]) -> None:
    """Retract measurements that are superseded, as `Act.change` would, but many at once."""
    if not keys:
        return
    before = load(act.conn, "measurement", keys)
    act.unchanged("measurement", list(before.values()))
    table = s.measurement
    for start in range(0, len(keys), 500):
        chunk = keys[start : start + 500]
        act.conn.execute(update(table).where(table.c.id.in_(chunk)).values(status="retracted"))
    for key in keys:
        old = before[key]
        detail = canonical({"status": [old["status"], "retracted"]})
        act.items.append(Item("measurement", old["uid"], "superseded", digest({**old, "status": "retracted"}), detail))


def curve_bytes(store: Store, readings: Sequence[Reading], options: Options) -> list[Curve | None]:
    """Curves of readings, encoded before the act begins; None where a reading has none or is faulty."""
    return [curve_of(store, r, options) for r in readings]


def curve_of(store: Store, reading: Reading, options: Options) -> Curve | None:
    """One curve, named as the reading names its sample."""
    if not reading.variables or curve_fault(reading.variables) or not isinstance(reading.sample, str):
        return None
    code = (options.target[1] or reading.fields.get("specimen") or reading.fields.get("mix") or reading.sample).strip()
    technique = options.technique or technique_of(reading.technique) or reading.technique
    return Curve(technique, code, store.curves.encode(reading.variables, _attrs(technique, code)))


def _curve(store: Store, plan: Plan, number: int) -> bytes:
    draft = plan.drafts[number]
    ready = plan.curves.get(number)
    if ready is not None and (ready.technique, ready.code) == (draft.record["technique"], draft.code):
        return ready.data
    return store.curves.encode(draft.variables, _attrs(draft.record["technique"], draft.code))


def _attrs(technique: str, code: str) -> dict[str, str]:
    return {"Conventions": "CF-1.11", "title": f"{technique} of {code}", "technique": technique, "sample": code}


def _group(conn: Connection, user: str) -> str:
    """Group of the person who acts."""
    row = conn.execute(select(s.person.c.grp).where(s.person.c.name == user)).first()
    return row[0] if row else ""


def _same_technique(readings: Sequence[Reading], file: str, options: Options) -> list[Finding]:
    """A technique given for the whole file fits a file with one technique only."""
    found = sorted({str(r.technique) for r in readings})
    if not options.technique or len(found) < 2:
        return []
    values = {"technique": options.technique, "found": ", ".join(found)}
    return [Finding("schema", "refuse", "receipt.several_techniques", "receipt.split_file", values, file)]


class _Tools:
    """Registered instruments and their calibrations."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self._codes: dict[str, tuple[int, str]] | None = None
        self._calibrations: dict[int, list[Any]] = {}

    def find(self, code: str) -> tuple[int, str] | None:
        """Internal key and uid of an instrument by its code."""
        if self._codes is None:
            table = s.instrument
            rows = self.conn.execute(select(table.c.code, table.c.id, table.c.uid))
            self._codes = {row[0]: (row[1], row[2]) for row in rows}
        return self._codes.get(code)

    def codes(self) -> list[str]:
        """Every code."""
        self.find("")
        return list(self._codes or ())

    def calibration(self, key: int, at: str) -> str | None:
        """Uid of the newest passed calibration that was valid on a date."""
        if not at:
            return None
        if key not in self._calibrations:
            table = s.calibration
            query = select(table.c.uid, table.c.calibrated_at, table.c.valid_until, table.c.result)
            query = query.where(table.c.instrument_id == key).order_by(table.c.calibrated_at.desc(), table.c.id.desc())
            self._calibrations[key] = list(self.conn.execute(query))
        for uid, since, until, result in self._calibrations[key]:
            if result == "pass" and compare_days(since, at) <= 0 and (not until or compare_days(until, at) >= 0):
                return str(uid)
        return None


def _draft(
    reading: Reading,
    target: Target,
    file: str,
    options: Options,
    tools: _Tools,
    raw_sha: str | None,
    upload_uid: str | None,
) -> Draft:
    """The draft of one reading, its record complete but for replicate, flags and what it supersedes."""
    draft = Draft(
        reading, file, target.kind, target.code, target.uid, target.waste_class, target.subtype, target.key is None,
        [], reading.variables, {},
    )  # fmt: skip
    technique = options.technique or technique_of(reading.technique)
    if not technique:
        draft.findings.append(
            draft.finding("schema", "refuse", "receipt.no_technique", "receipt.give_technique", found=reading.technique)
        )
    found = convert(draft, technique, options)
    draft.values = found.values
    measured_at = options.measured_at or date_of(draft, reading.measured_at)
    name = options.instrument or reading.instrument
    tool = tools.find(name) if name else None
    if tool is None and options.instrument:
        _unknown_instrument(draft, options.instrument, tools)
    age = options.age or reading.fields.get("age", "")
    days = age_days(age) if age else None
    if age and days is None:
        draft.findings.append(draft.finding("schema", "refuse", "receipt.age", "receipt.age_remedy", age=age))
    method = canonical_method(technique, options.method or reading.method)
    draft.record = {
        "uid": uuid7(),
        "sample": None, "mix": None, "specimen": None, target.kind: target.uid,
        "technique": technique or reading.technique, "method": method,
        "instrument": tool[1] if tool else None,
        "calibration": tools.calibration(tool[0], measured_at) if tool else None,
        "operator": reading.operator or options.operator, "measured_at": measured_at, "age_days": days,
        "replicate": replicate_of(draft), "status": "draft", "supersedes": None, "basis": found.basis,
        "raw_sha": raw_sha, "place": reading.where, "reader": f"{reading.reader} {reading.reader_version}".strip(),
        "curve_sha": None, "completeness": reading.completeness,
        "conditions": conditions(draft, found, options, method, measured_at, tool is not None), "flags": "",
        "upload": upload_uid,
        "visibility": options.visibility, "licence": options.licence, "note": reading.fields.get("note", ""),
        "values": _rows(found),
    }  # fmt: skip
    return draft


_FLAG = {name: n for n, name in enumerate(s.FLAGS)}
_BASIS = {name: n for n, name in enumerate(s.BASES)}


def _rows(found: Converted) -> list[Record]:
    return [
        {"quantity": v.quantity, "unit": v.unit, "value": v.value, "sigma": v.sigma, "k": v.k, "lod": v.lod,
         "flag": _FLAG[v.flag], "basis": _BASIS[v.basis], "text": v.text or None, "place": v.where or None}
        for v in found.values
    ]  # fmt: skip


def _unknown_instrument(draft: Draft, code: str, tools: _Tools) -> None:
    import difflib

    near = difflib.get_close_matches(code, tools.codes(), n=3, cutoff=0.5)
    draft.findings.append(
        draft.finding(
            "schema",
            "refuse",
            "receipt.unknown_instrument",
            "receipt.add_instrument",
            code=code,
            near=", ".join(near) or "-",
        )
    )


def _number(conn: Connection, drafts: Sequence[Draft], targets: Sequence[Target]) -> None:
    """Give each draft without a replicate number the next one of its target, technique, method and age."""
    taken: dict[tuple[Any, ...], int] = {}
    m = s.measurement
    for kind in ("sample", "mix", "specimen"):
        keys = sorted({t.key for t in targets if t.kind == kind and t.key is not None})
        column = m.c[f"{kind}_id"]
        uids = {t.key: t.uid for t in targets if t.kind == kind}
        for start in range(0, len(keys), 500):
            query = select(column, m.c.technique, m.c.method, m.c.age_days, m.c.replicate).where(
                column.in_(keys[start : start + 500])
            )
            for key, technique, method, age, number in conn.execute(query):
                name = (uids[key], technique, method, age)
                taken[name] = max(taken.get(name, 0), number)
    names = [(d.uid, d.record["technique"], d.record["method"], d.record["age_days"]) for d in drafts]
    for draft, name in zip(drafts, names, strict=True):
        if draft.record["replicate"]:
            taken[name] = max(taken.get(name, 0), draft.record["replicate"])
    for draft, name in zip(drafts, names, strict=True):
        if not draft.record["replicate"]:
            taken[name] = taken.get(name, 0) + 1
            draft.record["replicate"] = taken[name]

"""Registering people, instruments, sources, samples, mixes and specimens, and the status of measurements.

Every act is audited. What was recorded is never edited: fields that may change (a note, a location, a status) keep
their old value in the audit trail; everything else is superseded.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, select

from ..chemistry import WASTE_CLASSES
from ..errors import LabError, UnknownNameError, suggest
from ..i18n import near, say
from ..instruments import vocabulary
from . import schema as s
from .entities import ENTITIES, Entity, canonical, entity, shape
from .fields import finite, plain_text, reason_text, structured, whole, without_numpy
from .steps import check_process
from .store import Act, Store, from_json, uuid7

ROLES = ("technician", "researcher", "reviewer", "manager", "admin")
SOURCE_KINDS = ("heap", "plant", "pond", "silo", "mine", "supplier", "other")
PROCESS_STEPS = (
    "as_received",
    "split",
    "dried",
    "ground",
    "sieved",
    "calcined",
    "washed",
    "leached",
    "blended",
    "other",
)
#: How long a code or name may be.
LONGEST_CODE = 100
#: What `change` does not touch, though it may change: there is another way, with rules of its own.
_GUARDED = {"measurement": frozenset({"status", "checked_by", "checked_at", "flags"})}
COMPONENT_ROLES = ("binder", "activator", "aggregate", "water", "admixture", "fuel")
_DATE = re.compile(r"^\d{4}(-\d{2}(-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d+)?)?)?)?)?$")
#: Structured fields: given as dict or list, stored as canonical JSON.
_JSON = {"process", "dimensions", "curing", "conditions", "flags"}
_DATES = {"collected_at", "received_at", "disposed_at", "calibrated_at", "valid_until", "made_at", "cast_at", "started",
          "measured_at"}  # fmt: skip
_CHOICES: dict[tuple[str, str], tuple[str, ...]] = {
    ("person", "role"): ROLES,
    ("instrument", "state"): ("in_service", "out_of_service"),
    ("calibration", "result"): ("pass", "fail"),
    ("source", "kind"): SOURCE_KINDS,
    ("sample", "waste_class"): WASTE_CLASSES,
    ("sample", "visibility"): s.VISIBILITIES,
    ("mix", "visibility"): s.VISIBILITIES,
    ("measurement", "visibility"): s.VISIBILITIES,
    ("component", "role"): COMPONENT_ROLES,
}
_REQUIRED = {"person": ("name",), "calibration": ("instrument", "calibrated_at"), "specimen": ("code", "mix")}
ADDABLE = ("person", "instrument", "calibration", "reference_material", "source", "sample", "mix", "specimen")


class Names(Protocol):
    """What a record's references are resolved by: an `Act`, or a plan that knows what will be there."""

    @property
    def conn(self) -> Connection:
        """A connection to the catalogue."""
        ...

    def uid(self, name: str, label: str) -> str:
        """Uid of a record by the name people know it by."""
        ...

    def find(self, name: str, label: str) -> int | None:
        """Internal key of a record, or None."""
        ...


def add(store: Store, name: str, fields: Mapping[str, Any], *, reason: str = "") -> str:
    """Register one record.

    Parameters
    ----------
    store : Store
    name : {"person", "instrument", "calibration", "reference_material", "source", "sample", "mix", "specimen"}
    fields : mapping
        Columns of the table. References (``source``, ``parent``, ``instrument``, ``mix``, ``sample`` of a component)
        are codes. A sample needs ``code`` and ``waste_class`` (taken from its parent if it has one); a mix
        ``code`` and ``components``, a list of ``{"sample": code, "fraction": 0.3, "role": "binder"}`` or
        ``{"material": "raw/limestone", …}`` with dry binder fractions that sum to 1; a reference material
        ``values``, a list of ``{"quantity": "SiO2", "value": 21.3, "unit": "wt%", "sigma": 0.1}``; a specimen
        ``curing``, a list of ``{"temperature": "20 degC", "humidity": "95 %", "duration": "27 d"}``.
    reason : str

    Returns
    -------
    str
        The new record's uid.

    Raises
    ------
    LabError
        If a field is unknown, missing, of the wrong kind, or the code is taken; names field, value and expectation.
    UnknownNameError
        If a reference points nowhere.
    """
    if name not in ADDABLE:
        raise LabError(f"{name!r} cannot be registered.{suggest(name, ADDABLE)} Possible: {', '.join(ADDABLE)}.")
    with store.write(f"add {name}", reason=reason_text(reason)) as act:
        record = prepare(act, name, fields)
        act.insert(name, record)
    return str(record["uid"])


def prepare(act: Names, name: str, fields: Mapping[str, Any]) -> dict[str, Any]:
    """A checked record, references resolved, ready for `Act.insert`."""
    kind = entity(name)
    own, children = shape(kind)
    known = {column for column, _, _ in own} - {"uid", "created_at", "origin"} | {c.key for c, _ in children}
    what = f"{name} {fields.get(kind.label, '')!r}"
    for key in fields:
        if key not in known:
            raise LabError(f"{what}: unknown field {key!r}.{suggest(key, known)} Fields: {', '.join(sorted(known))}.")
    record = {k: v for k, v in fields.items() if v is not None}
    record["uid"] = uuid7()
    if kind.label in record:
        record[kind.label] = _label(kind, record[kind.label], what)
    for column, target in kind.refs.items():
        key = column.removesuffix("_id")
        if key in record:
            record[key] = act.uid(target, str(record[key])) if record[key] != "" else None
    if name == "sample":
        _inherit_class(act, record)
    for key in _REQUIRED.get(name, (kind.label, *(("waste_class",) if name == "sample" else ()))):
        if not record.get(key):
            raise LabError(
                say(f"error.kind_{name}+error.field_missing", label=str(fields.get(kind.label, "")), field=key)
            )
    label = record.get(kind.label)
    if label and kind.table.c[kind.label].unique and act.find(name, label) is not None:
        raise LabError(say(f"error.kind_{name}+error.exists", label=label, field=kind.label))
    for key, value in list(record.items()):
        record[key] = _check(name, key, value, what)
    for child, columns in children:
        if not isinstance(record.get(child.key, ()), list | tuple):
            raise LabError(f"{what}: {child.key} = {record[child.key]!r:.60}: expected a list of tables.")
        record[child.key] = [
            _child(act, name, child, columns, item, f"{what}, {child.key}[{n}]")
            for n, item in enumerate(record.get(child.key, ()))
        ]
    if name == "mix":
        _check_mix(record, what)
    return record


def _inherit_class(act: Names, record: dict[str, Any]) -> None:
    if record.get("waste_class"):
        record["waste_class"] = vocabulary.waste_class(str(record["waste_class"])) or record["waste_class"]
    elif record.get("parent"):
        row = act.conn.execute(select(s.sample.c.waste_class).where(s.sample.c.uid == record["parent"])).one()
        record["waste_class"] = row[0]


def _label(kind: Entity, value: Any, what: str) -> str:
    """A code or name that can be read, typed and printed."""
    label = plain_text(value, f"{what}: {kind.label}").strip()
    if kind.table.c[kind.label].unique and (len(label) > LONGEST_CODE or not label.isprintable()):
        raise LabError(
            f"{what:.200}: {kind.label} must have at most {LONGEST_CODE} characters, all of which can be printed."
        )
    return label


def _check(name: str, key: str, value: Any, what: str) -> Any:
    choices = _CHOICES.get((name, key))
    value = without_numpy(value)
    if choices is not None and value not in choices:
        listed = ", ".join(choices)
        told = say("error.one_of", what=f"{what}: {key}", value=str(value), known=listed)
        raise LabError(told + near(str(value), choices))
    if (name, key) == ("sample", "process") and value != "":
        return structured(check_process(value, f"{what}: process"), f"{what}: process")
    if key in _JSON and not isinstance(value, str):
        return structured(value, f"{what}: {key}")
    if key in _DATES and value:
        return check_date(str(value), f"{what}: {key}")
    column = entity(name).table.c.get(key)
    if column is None:  # a reference or a list of children
        return value
    if column.type.python_type is str:
        return plain_text(value, f"{what}: {key}")
    if column.type.python_type is int:
        count = whole(value, f"{what}: {key}")
        if key == "active" and count not in (0, 1):
            raise LabError(f"{what}: active = {count}: expected 1 or 0.")
        return count
    if column.type.python_type is float:
        number = finite(value, f"{what}: {key}")
        limits = {
            "latitude": (-90.0, 90.0),
            "longitude": (-180.0, 180.0),
            "mass_kg": (0.0, 1e12),
            "water_binder": (0, 5),
            "capacity_t": (0.0, 1e12),
        }
        if key in limits and not limits[key][0] <= number <= limits[key][1]:
            raise LabError(f"{what}: {key} = {number:g} is outside {limits[key][0]:g} to {limits[key][1]:g}.")
        return number
    return value


def check_date(text: str, what: str) -> str:
    """A date or time as ISO text.

    Raises
    ------
    LabError
        If it is not one, or does not exist in the calendar.
    """
    from datetime import datetime

    body = text.strip().removesuffix("Z")
    if not _DATE.match(body):
        raise LabError(say("error.no_date", what=what, text=text))
    padded = body.replace(" ", "T")
    try:
        datetime.fromisoformat(
            padded if len(padded) > 7 else (padded + "-01-01")[:10] if len(padded) == 4 else padded + "-01"
        )
    except ValueError as exc:
        raise LabError(say("error.no_such_date", what=what, text=text, detail=str(exc))) from None
    return text.strip().replace(" ", "T")


def _child(act: Names, name: str, child: Any, columns: Any, item: Any, what: str) -> dict[str, Any]:
    if not isinstance(item, Mapping):
        raise LabError(f"{what} = {item!r}: expected a table.")
    known = {column for column, _, _ in columns}
    if "quantity_id" in child.table.c:
        known |= {"quantity", "unit"}
    for key in item:
        if key not in known:
            raise LabError(f"{what}: unknown field {key!r}.{suggest(key, known)} Fields: {', '.join(sorted(known))}.")
    row = {k: v for k, v in item.items() if v is not None}
    for column in child.table.columns:
        if column.name in row and column.name not in child.refs:
            convert = finite if column.type.python_type is float else plain_text
            row[column.name] = convert(row[column.name], f"{what}: {column.name}")
        elif column.name in ("value", "fraction"):
            raise LabError(f"{what}: the field {column.name!r} is missing.")
    if "quantity_id" in child.table.c:
        term = vocabulary.term(str(row.get("quantity", "")))
        from ..instruments.units import factor, times

        scale = factor(str(row.get("unit", "")), term.unit)
        row["quantity"], row["unit"] = term.name, term.unit
        for key in ("value", "sigma"):
            if row.get(key) is not None:
                row[key] = times(row[key], scale)
    for column, target in child.refs.items():
        key = column.removesuffix("_id")
        if row.get(key):
            row[key] = act.uid(target, str(row[key]))
    if name == "mix":
        role = row.get("role", "binder")
        if role not in COMPONENT_ROLES:
            raise LabError(f"{what}: role = {role!r} is not one of {', '.join(COMPONENT_ROLES)}.")
        if bool(row.get("sample")) == bool(row.get("material")):
            raise LabError(
                f"{what}: give either a sample of this laboratory or a reference material, not both or none."
            )
        if not 0 <= row["fraction"] <= 100:
            raise LabError(f"{what}: fraction = {row['fraction']!r}: expected kg per kg of dry binder, e.g. 0.3.")
        if row.get("material") and not (role == "water" and vocabulary.component_role(_last(row["material"])) == role):
            from ..reference import material

            try:
                row["material"] = material(row["material"]).id
            except UnknownNameError as exc:
                raise UnknownNameError(f"{what}: {exc}") from None
    return row


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _check_mix(record: Mapping[str, Any], what: str) -> None:
    binder = [c["fraction"] for c in record["components"] if c.get("role", "binder") == "binder"]
    if not binder:
        raise LabError(f"{what}: no binder component; list what it was made of in 'components'.")
    if abs(sum(binder) - 1.0) > 1e-4 + 1e-9:  # 33.33 % three times is what people write
        raise LabError(say("error.binder_sum", what=what, total=sum(binder)))


def change(store: Store, name: str, label: str, changes: Mapping[str, Any], *, reason: str) -> None:
    """Change what may be changed of a record.

    Parameters
    ----------
    store : Store
    name, label : str
        Kind, and code, name or uid.
    changes : mapping
    reason : str
        Why; it must not be empty.

    Raises
    ------
    LabError
        If the reason is missing or a field may not be changed in place.
    UnknownNameError
        If there is no such record.
    """
    if not reason_text(reason).strip():
        raise LabError(say("error.change_reason"))
    if name not in ENTITIES:
        raise LabError(f"{name!r} is no kind of record.{suggest(str(name), ENTITIES)}")
    kind, what = entity(name), f"{name} {label!r}"
    known = [column for column, _, _ in shape(kind)[0]]
    for key in changes:
        if key not in known and key not in {c.key for c in kind.children}:
            raise LabError(f"{what}: unknown field {key!r}.{suggest(key, known)} Fields: {', '.join(sorted(known))}.")
    if not changes:
        raise LabError(f"{what}: say what to change, e.g. note='…'.")
    guarded = sorted(changes.keys() & _GUARDED.get(name, frozenset()))
    if guarded:
        raise LabError(
            f"{', '.join(guarded)} of a {name} cannot be changed in place like other fields: "
            "verify or retract it instead (set_status, `wastelab approve`, `wastelab retract`)."
        )
    with store.write(f"change {name}", reason=reason) as act:
        if name == "person" and changes.keys() & {"role", "active"}:
            _may_appoint(act, what)
        uid = act.uid(name, str(label))
        row_key = int(act.conn.execute(select(kind.table.c.id).where(kind.table.c.uid == uid)).scalar_one())
        body = {k: _emptied(kind, k, what) if v is None else _check(name, k, v, what) for k, v in changes.items()}
        for column, target in kind.refs.items():
            ref = column.removesuffix("_id")
            if body.get(ref):
                body[ref] = act.uid(target, str(body[ref]))
        act.change(name, row_key, body)


def _emptied(kind: Entity, key: str, what: str) -> Any:
    """What stands for nothing in a field."""
    column = kind.table.c.get(key)
    if column is None or column.nullable:
        return None
    if column.default is not None and column.default.arg == "":  # type: ignore[attr-defined]
        return ""
    raise LabError(f"{what}: {key} cannot be empty.")


def _may_appoint(act: Act, what: str) -> None:
    """Refuse a change of who may do what by somebody who may not; until there is anybody who may, anybody may."""
    query = select(s.person.c.name).where(s.person.c.role.in_(("manager", "admin")) & (s.person.c.active == 1))
    allowed = sorted(row[0] for row in act.conn.execute(query))
    if allowed and act.actor not in allowed:
        raise LabError(
            f"{what}: {act.actor!r} may not change role or active; it takes a person of role admin or manager: "
            f"{', '.join(allowed)}."
        )


def set_status(store: Store, uid: str, status: str, *, by: str, reason: str = "") -> None:
    """Verify or retract a measurement.

    Parameters
    ----------
    store : Store
    uid : str
        Of the measurement.
    status : {"verified", "retracted", "draft"}
        A retracted measurement stays and can be read, but no table, mean or material uses it, and it cannot come back:
        record it again instead.
    by : str
        Who decides; kept as ``checked_by``. If people are registered, one of role reviewer, manager or admin; not the
        operator, unless the reason says that it is a self-check (flagged).
    reason : str
        Required to retract, and to make a draft again of what was verified.

    Raises
    ------
    LabError
    """
    if status not in s.STATUSES:
        raise LabError(f"status {status!r} is not one of {', '.join(s.STATUSES)}.{suggest(status, s.STATUSES)}")
    if not isinstance(by, str) or not by.strip():
        raise LabError(say("error.who_decides"))
    reason = reason_text(reason)
    if status == "retracted" and not reason.strip():
        raise LabError(say("error.retraction_reason"))
    with store.write(f"set {status}", reason=reason) as act:
        table = s.measurement
        row = act.conn.execute(select(table).where(table.c.uid == uid)).mappings().first()
        if row is None:
            raise LabError(say("error.no_measurement", uid=uid))
        if row["status"] == "retracted":
            raise LabError(say("error.stays_retracted", uid=uid))
        if status == "draft" and row["status"] == "verified" and not reason.strip():
            raise LabError("To take a verification back needs a reason; it is kept in the audit trail.")
        people = act.conn.execute(select(s.person.c.name, s.person.c.role, s.person.c.active)).all()
        if people:
            roles = {p[0]: p[1] for p in people if p[2]}
            if roles.get(by) not in ("reviewer", "manager", "admin"):
                allowed = sorted(n for n, r in roles.items() if r in ("reviewer", "manager", "admin"))
                raise LabError(
                    f"{by!r} is not registered as reviewer, manager or admin. Those who may: "
                    f"{', '.join(allowed) or 'nobody yet; register one with `wastelab add person`'}."
                )
        flags = from_json(row["flags"]) or []
        if status != "retracted":
            flags = [f for f in flags if f != "self_check"]
        if status == "verified" and row["operator"] and row["operator"] == by:
            if not reason.strip():
                raise LabError(say("error.self_check", by=by))
            flags = [*flags, "self_check"]
        changes: dict[str, Any] = {"status": status, "flags": canonical(flags) if flags else ""}
        # Who decided, which need not be the person at the computer: that one is the actor of the event.
        changes |= (
            {"checked_by": "", "checked_at": ""} if status == "draft" else {"checked_by": by, "checked_at": act.at}
        )
        act.change("measurement", int(row["id"]), changes, change=status)


def attach(store: Store, name: str, label: str, file: Path, *, note: str = "") -> str:
    """Keep a file with a record; returns the attachment's uid.

    Raises
    ------
    LabError
        If the file cannot be read.
    """
    if name not in ENTITIES:
        raise LabError(f"{name!r} is no kind of record.{suggest(name, ENTITIES)}")
    try:
        data = file.read_bytes()
    except OSError as exc:
        raise LabError(f"{file}: cannot be read ({exc.strerror or exc}).") from None
    with store.write("attach") as act:
        owner = act.uid(name, label)
        sha = act.put_raw(data, file.name)
        uid = uuid7()
        act.insert(
            "attachment",
            {"uid": uid, "entity": name, "entity_uid": owner, "raw_sha": sha, "filename": file.name, "at": act.at,
             "note": note},
        )  # fmt: skip
    return uid

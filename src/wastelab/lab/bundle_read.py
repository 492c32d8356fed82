"""Reading a stranger's bundle: names, sizes, hashes, types and audit trail are checked before anything is believed.

Members are stored, not compressed, and together no longer than the file, so nothing can unfold to more than is there.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sqlalchemy import Integer, SmallInteger, String, Table

from ..chemistry import WASTE_CLASSES
from ..errors import IntegrityError, LabError
from . import audit
from . import schema as s
from .bundle_select import ORDER
from .curves import decode
from .entities import ENTITIES, Record, canonical, digest, shape

FORMAT, VERSION = "wastelab-bundle", 1
MANIFEST, AUDIT = "manifest.json", "audit.jsonl"
#: Most bytes of one raw file or curve, of one line, and of all text members together.
MAX_FILE, MAX_LINE, MAX_TEXT = 512 * 2**20, 16 * 2**20, 2**30
_NAME = re.compile(r"manifest\.json|audit\.jsonl|records/[a-z_]+\.jsonl|(raw|curves)/[0-9a-f]{64}")
_SHA = re.compile(r"[0-9a-f]{64}")
_UID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_CHOICES = {"visibility": s.VISIBILITIES, "status": s.STATUSES, "waste_class": WASTE_CLASSES}


class Bundle:
    """An open bundle.

    Attributes
    ----------
    lab_uid, lab_name : str
        Where it is from.
    records : dict of str to dict of str to dict
        Records by kind and uid, what is pointed to first.
    raw : dict of str to dict
        What is known of each raw file, by hash.
    trails : dict of (str, str) to list of Item
        What the audit trail in it says of each record, by kind and uid, oldest first.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        self.records: dict[str, dict[str, Record]] = {name: {} for name in ORDER}
        self.raw: dict[str, dict[str, Any]] = {}
        self.trails: dict[tuple[str, str], list[audit.Item]] = {}
        self.lab_uid = self.lab_name = ""
        try:
            self._zip = zipfile.ZipFile(file)
        except OSError as exc:
            raise LabError(f"{file}: cannot be read ({exc.strerror or exc}).") from None
        except (zipfile.BadZipFile, NotImplementedError, ValueError) as exc:
            raise LabError(f"{file}: is no bundle ({exc}); expected the .zip of `wastelab bundle export`.") from None

    def __enter__(self) -> Bundle:
        return self

    def __exit__(self, *_: object) -> None:
        self._zip.close()

    def bad(self, said: str) -> IntegrityError:
        """An error that names the file."""
        return IntegrityError(f"{self.file}: {said}. Nothing was stored; get the bundle again.")

    def files(self, folder: str) -> set[str]:
        """Hashes of the files in ``raw/`` or ``curves/``."""
        return {n.removeprefix(f"{folder}/") for n in self._zip.namelist() if n.startswith(f"{folder}/")}

    def read(self, name: str) -> bytes:
        """Content of a member."""
        try:
            return self._zip.read(name)
        except (KeyError, zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as exc:
            raise self.bad(f"member {name!r} cannot be read ({exc})") from None

    def check(self) -> None:
        """Check everything that can be checked without the laboratory, and read the records.

        Raises
        ------
        LabError, IntegrityError
        """
        self._check_names()
        manifest = self._check_manifest()
        self._check_hashes(manifest["members"])
        for name in ORDER:
            self._read_records(name)
        self._read_raw()
        self._check_files()
        self._check_audit()

    def _check_names(self) -> None:
        infos = self._zip.infolist()
        names = [i.filename for i in infos]
        if MANIFEST not in names:
            raise LabError(f"{self.file}: is no bundle (no {MANIFEST}); expected the .zip of `wastelab bundle export`.")
        if len(set(names)) != len(names):
            raise self.bad("two members have one name")
        for info in infos:
            if not _NAME.fullmatch(info.filename):
                raise self.bad(f"member {info.filename!r} does not belong into a bundle")
            if info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1:
                raise self.bad(f"member {info.filename!r} is compressed or encrypted; a bundle is neither (do not "
                               "zip it again)")  # fmt: skip
            folder = info.filename.split("/")[0]
            if folder == "records" and info.filename[8:-6] not in (*ORDER, "raw"):
                raise self.bad(f"member {info.filename!r}: unknown kind of record; it may need a newer wastelab")
            if folder in ("raw", "curves") and info.file_size > MAX_FILE:
                raise self.bad(f"member {info.filename!r} is larger than {MAX_FILE >> 20} MiB")
        if sum(i.file_size for i in infos) > self.file.stat().st_size:
            raise self.bad("its members are longer than the file")
        if sum(i.file_size for i in infos if i.filename.endswith(("json", "jsonl"))) > MAX_TEXT:
            raise self.bad(f"its records are larger than {MAX_TEXT >> 30} GiB; export it in parts (--class, --sample)")

    def _check_manifest(self) -> dict[str, Any]:
        from .migrate import known_versions

        manifest = self._json(self.read(MANIFEST), MANIFEST)
        try:
            form, number, schema = manifest["format"], manifest["version"], manifest["schema"]
            self.lab_uid, self.lab_name = manifest["lab"]["uid"], manifest["lab"]["name"]
            members = manifest["members"]
            good = (
                isinstance(members, dict)
                and isinstance(self.lab_name, str) and isinstance(self.lab_uid, str) and _UID.fullmatch(self.lab_uid)
                and all(isinstance(m["size"], int) and _SHA.fullmatch(m["sha256"]) for m in members.values())
            )  # fmt: skip
        except (KeyError, TypeError):
            raise self.bad(f"{MANIFEST} lacks a key") from None
        if form != FORMAT or not good:
            raise self.bad(f"{MANIFEST} is not of a wastelab bundle")
        if number != VERSION or schema not in known_versions():
            raise LabError(
                f"{self.file}: made by a newer wastelab (bundle version {number}, schema {schema}); upgrade wastelab."
            )
        return dict(manifest)

    def _check_hashes(self, members: Mapping[str, Any]) -> None:
        names = set(self._zip.namelist()) - {MANIFEST}
        if names != members.keys():
            odd = sorted(names ^ members.keys())
            raise self.bad(f"members and {MANIFEST} do not agree ({', '.join(odd[:3])})")
        for name in sorted(names):
            found, size = hashlib.sha256(), 0
            try:
                with self._zip.open(name) as member:
                    while block := member.read(2**20):
                        found.update(block)
                        size += len(block)
            except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError, EOFError) as exc:
                raise self.bad(f"member {name!r} cannot be read ({exc})") from None
            if size != members[name]["size"] or found.hexdigest() != members[name]["sha256"]:
                raise self.bad(f"member {name!r} does not match its hash")
            folder, _, sha = name.partition("/")
            if folder in ("raw", "curves") and found.hexdigest() != sha:
                raise self.bad(f"member {name!r} does not match its name")

    def _json(self, data: bytes, where: str) -> Any:
        try:
            text = data.decode()
            body = json.loads(text, parse_constant=_refuse)
            if canonical(body) != text:
                raise ValueError("not in canonical form")
        except (ValueError, RecursionError) as exc:
            raise self.bad(f"{where} cannot be read ({exc})") from None
        if not isinstance(body, dict):
            raise self.bad(f"{where} is no table")
        return body

    def _rows(self, member: str) -> list[tuple[str, Any]]:
        if member not in self._zip.namelist():
            return []
        lines = self.read(member).split(b"\n")
        if lines.pop() != b"":
            raise self.bad(f"{member} is cut")
        out = []
        for n, line in enumerate(lines, 1):
            where = f"{member}, line {n}"
            if len(line) > MAX_LINE:
                raise self.bad(f"{where} is too long")
            out.append((where, self._json(line, where)))
        return out

    def _read_records(self, name: str) -> None:
        kind = ENTITIES[name]
        own, children = shape(kind)
        found: dict[str, Record] = {}
        labels: set[str] = set()
        for where, row in self._rows(f"records/{name}.jsonl"):
            self._check_row(where, row, own, kind.table, {c.key for c, _ in children})
            for child, columns in children:
                self._check_children(where, row, child, columns)
            if row["uid"] in found:
                raise self.bad(f"{where}: uid {row['uid']} occurs twice")
            if "origin" in row and not _UID.fullmatch(row["origin"]):
                raise self.bad(f"{where}, origin = {row['origin']!r}: expected the uid of a laboratory")
            if kind.table.c[kind.label].unique:
                if not row[kind.label] or row[kind.label] in labels:
                    raise self.bad(f"{where}: {kind.label} {row[kind.label]!r} is empty or occurs twice")
                labels.add(row[kind.label])
            found[row["uid"]] = row
        self.records[name] = self._ordered(name, found)

    def _check_children(self, where: str, row: Record, child: Any, columns: Any) -> None:
        if not isinstance(row[child.key], list) or len(row[child.key]) > 32_767:
            raise self.bad(f"{where}, {child.key}: expected a list of at most 32767")
        quantities = "quantity_id" in child.table.c
        for n, item in enumerate(row[child.key]):
            place = f"{where}, {child.key}[{n}]"
            if not isinstance(item, dict):
                raise self.bad(f"{place} is no table")
            body = {k: v for k, v in item.items() if not (quantities and k in ("quantity", "unit"))}
            if quantities and not all(
                isinstance(item.get(k), str) and len(item[k]) <= 200 for k in ("quantity", "unit")
            ):
                raise self.bad(f"{place}: quantity and unit are missing or no text")
            if quantities and not item["quantity"]:
                raise self.bad(f"{place}: the quantity is empty")
            self._check_row(place, body, columns, child.table, set())
            if "flag" in item and not 0 <= item["flag"] < len(s.FLAGS):
                raise self.bad(f"{place}: flag {item['flag']} is not known")
            if child.table is s.value and not 0 <= item["basis"] < len(s.BASES):
                raise self.bad(f"{place}: basis {item['basis']} is not known")

    def _check_row(self, where: str, row: Record, columns: Any, table: Table, lists: set[str]) -> None:
        names = {c[0] for c in columns} | lists
        if row.keys() != names:
            odd = sorted(row.keys() ^ names)
            raise self.bad(f"{where}: columns {', '.join(odd[:5])} are missing or too many")
        for name, sort, _ in columns:
            value = row[name]
            column = table.c[f"{name}_id"] if sort == "ref" else table.c[name]
            if not _fits(value, sort, column):
                raise self.bad(f"{where}, {name} = {str(value)[:80]!r}: not what this column holds")
            if name in ("uid", "entity_uid") and not _UID.fullmatch(value):
                raise self.bad(f"{where}, {name} = {value[:80]!r}: no uid")
            if name in ("raw_sha", "curve_sha") and value and not _SHA.fullmatch(value):
                raise self.bad(f"{where}, {name} = {value[:80]!r}: no hash")
            if name in _CHOICES and value not in _CHOICES[name]:
                raise self.bad(f"{where}, {name} = {value!r}: not one of {', '.join(_CHOICES[name])}")
            if name == "flags" and value:
                self._check_flags(where, value)

    def _check_flags(self, where: str, value: str) -> None:
        try:
            flags = json.loads(value)
        except (ValueError, RecursionError):
            flags = None
        if not isinstance(flags, list) or not all(isinstance(f, str) for f in flags):
            raise self.bad(f"{where}, flags: expected a list of names")

    def _ordered(self, name: str, found: dict[str, Record]) -> dict[str, Record]:
        """What is pointed to inside the kind comes first."""
        key = {"sample": "parent", "measurement": "supersedes"}.get(name)
        if key is None:
            return found
        out: dict[str, Record] = {}
        for start in found:
            line: list[str] = []
            uid: str | None = start
            while uid in found and uid not in out:
                if len(line) > len(found):
                    raise self.bad(f"{name} {start}: its line of {key}s is a circle")
                line.append(str(uid))
                uid = found[str(uid)][key]
            out.update((u, found[u]) for u in reversed(line))
        return out

    def _read_raw(self) -> None:
        for where, row in self._rows("records/raw.jsonl"):
            good = (
                row.keys() == {"sha256", "size", "filename"}
                and isinstance(row["sha256"], str) and _SHA.fullmatch(row["sha256"])
                and type(row["size"]) is int and 0 <= row["size"] <= MAX_FILE
                and isinstance(row["filename"], str) and len(row["filename"]) <= 1000 and _stores(row["filename"])
                and row["sha256"] not in self.raw
            )  # fmt: skip
            if not good:
                raise self.bad(f"{where}: not what is known of a raw file")
            self.raw[row["sha256"]] = row

    def _check_files(self) -> None:
        """Every file that is named is there, or said to be elsewhere; nothing else is."""
        named = {r["raw_sha"] for k in ("upload", "measurement", "attachment") for r in self.records[k].values()} - {
            None
        }
        if named != self.raw.keys() or not self.files("raw") <= named:
            raise self.bad("its raw files are not those that its records name")
        for sha in self.files("raw"):
            if self._zip.getinfo(f"raw/{sha}").file_size != self.raw[sha]["size"]:
                raise self.bad(f"raw/{sha} has not the size that is stated")
        curves = {r["curve_sha"] for r in self.records["measurement"].values()} - {None, ""}
        if curves != self.files("curves"):
            raise self.bad("its curves are not those that its measurements name")
        for sha in sorted(curves):
            try:
                decode(self.read(f"curves/{sha}"))
            except IntegrityError as exc:
                raise self.bad(f"curves/{sha}: {exc}") from None
        for uid, row in self.records["attachment"].items():
            if row["entity"] not in ORDER or row["entity_uid"] not in self.records[row["entity"]]:
                raise self.bad(f"attachment {uid} belongs to a record that is not in it")

    def _check_audit(self) -> None:
        """Events hash to what they say, and the last word on every record is the record."""
        trails = self.trails
        before = 0
        for where, row in self._rows(AUDIT):
            try:
                items = [audit.Item(*i) for i in row["items"]]
                seq, whole = row["seq"], row["whole"]
                found = audit.event_hash(row["prev"], seq, row["at"], row["actor"], row["action"], row["reason"],
                                         row["version"], items)  # fmt: skip
                ordered = seq > before
            except (KeyError, TypeError):
                raise self.bad(f"{where}: not an audit event") from None
            if not ordered or (whole and found != row["hash"]):
                raise self.bad(f"{where}: the audit event does not match its hash")
            before = seq
            for item in items:
                trails.setdefault((item.entity, item.uid), []).append(item)
        for name in ORDER:
            for uid, record in self.records[name].items():
                own = self.as_there(record)
                withheld = name == "upload" and record["outcome"] == "withheld"
                if not withheld and (not (known := trails.get((name, uid))) or known[-1].digest != digest(own)):
                    raise self.bad(f"{name} {uid} is not as the audit trail in it recorded it")

    def as_there(self, record: Record) -> Record:
        """A record as the laboratory that the bundle is of holds it."""
        return {**record, "origin": ""} if record.get("origin") == self.lab_uid else record

    def references(self) -> dict[str, set[str]]:
        """Uids that records point to, by kind."""
        out: dict[str, set[str]] = {}
        for name in ORDER:
            kind = ENTITIES[name]
            for record in self.records[name].values():
                for column, target in kind.refs.items():
                    out.setdefault(target, set()).add(record[column.removesuffix("_id")])
                for child in kind.children:
                    for item in record[child.key]:
                        for column, target in child.refs.items():
                            out.setdefault(target, set()).add(item[column.removesuffix("_id")])
        return {k: v - {None} for k, v in out.items()}


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is no number")


def _stores(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= c <= "\udfff" for c in text)


def _fits(value: Any, sort: str, column: Any) -> bool:
    if value is None:
        return bool(column.nullable)
    if sort == "ref":
        return isinstance(value, str) and _UID.fullmatch(value) is not None
    if sort == "float":
        return type(value) is float and math.isfinite(value) and str(value) != "-0.0"
    if sort == "int":
        limit = 2**15 if isinstance(column.type, SmallInteger) else 2**31 if isinstance(column.type, Integer) else 0
        return type(value) is int and -limit <= value < limit
    longest = column.type.length if isinstance(column.type, String) and column.type.length else MAX_LINE
    return isinstance(value, str) and len(value) <= longest and _stores(value)

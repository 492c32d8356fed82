"""A process that writes to a laboratory, or reads it, until it is killed. Run by `test_faults`.

``python _fault_worker.py write FOLDER NUMBER [ACTS]`` prints one line ``R event upload_uid`` for each act that is
stored; ``read`` checks what it sees and prints ``E …`` for anything half there.
"""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from _synthetic import pattern
from sqlalchemy import func, select

from wastelab.lab import schema as s
from wastelab.lab.lab import Lab, open_lab
from wastelab.lab.store import uuid7

VALUES = 12


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def act(lab: Lab, number: int, n: int) -> None:
    """One upload: raw file, curve, new sample, two measurements."""
    store = lab.store
    code = f"W{number}-{uuid7()}"
    curve = store.curves.encode(pattern(hash((number, n)) % 2**31, 400), {"code": code})
    with store.write("upload", actor=f"writer {number}") as a:
        sha = a.put_raw(f"raw of {code}\n".encode() * 50, f"{code}.txt")
        curve_sha = a.put_curves([curve])[0]
        sample, upload = uuid7(), uuid7()
        a.insert("sample", {"uid": sample, "code": code, "waste_class": "red_mud"})
        a.insert("upload", {"uid": upload, "raw_sha": sha, "filename": code, "at": a.at, "actor": a.actor,
                            "outcome": "stored"})  # fmt: skip
        common = {"sample": sample, "raw_sha": sha, "upload": upload}
        a.insert("measurement", {**common, "technique": "XRD", "curve_sha": curve_sha})
        a.insert("measurement", {**common, "technique": "XRF", "values": [
            {"quantity": f"Q{i}", "unit": "wt%", "value": i + n / 7} for i in range(VALUES)
        ]})  # fmt: skip
    say(f"R {a.event} {upload}")


def look(lab: Lab) -> None:
    """Every act is there with all of its parts."""
    with lab.store.read() as conn:
        uploads = conn.execute(select(func.count()).select_from(s.upload)).scalar_one()
        results = conn.execute(select(func.count()).select_from(s.measurement)).scalar_one()
        values = conn.execute(select(func.count()).select_from(s.value)).scalar_one()
        events = conn.execute(
            select(func.count()).select_from(s.audit_event).where(s.audit_event.c.action == "upload")
        ).scalar_one()
        newest = conn.execute(
            select(s.measurement.c.curve_sha, s.measurement.c.raw_sha).where(s.measurement.c.curve_sha.is_not(None))
            .order_by(s.measurement.c.id.desc()).limit(3)
        ).all()  # fmt: skip
        if not (results == 2 * uploads and values == VALUES * uploads and events == uploads):
            say(f"E half an act: {uploads} uploads, {results} results, {values} values, {events} events")
        for curve, raw in newest:
            lab.store.curve(conn, curve)
            lab.store.vault.get(raw)


def main() -> None:
    what, folder, number = sys.argv[1], sys.argv[2], int(sys.argv[3])
    acts = int(sys.argv[4]) if len(sys.argv) > 4 else None
    try:
        with open_lab(folder, user=f"{what} {number}") as lab:
            say("ready")
            n = 0
            while acts is None or n < acts:
                if what == "write":
                    act(lab, number, n)
                else:
                    look(lab)
                n += 1
            say("done")
    except Exception as exc:
        say(f"E {type(exc).__name__}: {str(exc).splitlines()[0]}")
        raise


if __name__ == "__main__":
    main()

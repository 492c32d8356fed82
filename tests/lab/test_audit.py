"""The chain: its hash is fixed for ever, times never go back."""

from __future__ import annotations

import hashlib

from _synthetic import fill
from sqlalchemy import select

from wastelab.lab import audit
from wastelab.lab import schema as s
from wastelab.lab.lab import Lab


def test_the_form_of_an_event_is_frozen() -> None:
    """Whoever changes what is hashed breaks every chain there is."""
    items = [audit.Item("sample", "u", "insert", "d" * 64), audit.Item("mix", "v", "update", "e" * 64, '{"a":[1,2]}')]
    body = (
        '["' + "0" * 64 + '",1,"2026-03-02T06:05:00.000000Z","李伟","upload","","0.1.0",'
        '[["sample","u","insert","' + "d" * 64 + '",null],["mix","v","update","' + "e" * 64 + '","{\\"a\\":[1,2]}"]]]'
    )
    found = audit.event_hash(audit.GENESIS, 1, "2026-03-02T06:05:00.000000Z", "李伟", "upload", "", "0.1.0", items)
    assert found == hashlib.sha256(body.encode()).hexdigest()


def test_every_part_of_an_event_is_in_its_hash() -> None:
    item = audit.Item("sample", "u", "insert", "d", "x")
    base = ("p", 1, "t", "a", "b", "c", "v", [item])
    seen = {audit.event_hash(*base)}
    for n, other in enumerate(("P", 2, "T", "A", "B", "C", "V", [])):
        seen.add(audit.event_hash(*base[:n], other, *base[n + 1 :]))  # type: ignore[arg-type]
    for field in ("entity", "uid", "change", "digest", "detail"):
        changed = audit.Item(**{**{f: getattr(item, f) for f in item.__slots__}, field: "other"})
        seen.add(audit.event_hash(*base[:7], [changed]))
    assert len(seen) == 1 + 8 + 5


def test_times_never_go_back() -> None:
    assert audit.next_time("9999-12-31T23:59:58.999999Z") == "9999-12-31T23:59:59.000000Z"
    assert audit.next_time("2000-01-01T00:00:00.000000Z") > "2026"


def test_actor_reason_and_links_are_written(lab: Lab) -> None:
    fill(lab, 1)
    with lab.store.write("check", reason="复核", actor="王芳") as act:
        act.insert("source", {"code": "X"})
    with lab.store.read() as conn:
        rows = conn.execute(select(s.audit_event).order_by(s.audit_event.c.seq)).mappings().all()
    assert [r["seq"] for r in rows] == list(range(1, len(rows) + 1))
    assert [r["prev"] for r in rows] == [audit.GENESIS, *(r["hash"] for r in rows[:-1])]
    assert (rows[-1]["actor"], rows[-1]["reason"], rows[-1]["hash"]) == ("王芳", "复核", act.event)
    assert {r["actor"] for r in rows[:-1]} == {"tester"}

"""Lineage: from the heap to the measurement and back; shares of heaps through mass fractions."""

from __future__ import annotations

import random
from typing import Any

import builders as b
import pytest

from wastelab.errors import UnknownNameError
from wastelab.lab.lab import Lab
from wastelab.lab.lineage import lineage


@pytest.fixture
def filled(lab: Lab) -> Lab:
    """heap H1 > RM-1 > RM-1-D > RM-1-G; heap H2 > CG-1; M-1 of both and limestone; two specimens."""
    lab.add("source", code="H1", waste_class="red_mud")
    lab.add("source", code="H2", waste_class="coal_gangue")
    b.sample(lab, "RM-1", source="H1", values={"SiO2": 20.0})
    b.sample(lab, "RM-1-D", parent="RM-1", process={"step": "dried"})
    b.sample(lab, "RM-1-G", parent="RM-1-D", process=[{"step": "ground"}, {"step": "sieved"}])
    b.sample(lab, "CG-1", "coal_gangue", source="H2")
    water = {"material": "water", "role": "water", "fraction": 0.4}
    b.mix(lab, "M-1", {"RM-1-G": 0.3, "RM-1": 0.2, "CG-1": 0.1, "raw/limestone": 0.4}, more=[water])
    b.strengths(lab, "M-1", [30.0, 31.0])
    return lab


def steps(lab: Lab, code: str, direction: str = "both") -> list[tuple[Any, ...]]:
    table = lineage(lab.store, code, direction)
    return [
        (r.level, r.entity, r.code, r.relation, None if r.fraction != r.fraction else round(r.fraction, 9), r.process)
        for r in table.itertuples()
    ]  # fmt: skip


def test_up_from_a_portion(filled: Lab) -> None:
    assert steps(filled, "RM-1-G", "up") == [
        (-3, "source", "H1", "source", None, ""),
        (-2, "sample", "RM-1", "parent", None, ""),
        (-1, "sample", "RM-1-D", "parent", None, "dried"),
        (0, "sample", "RM-1-G", "itself", None, "ground, sieved"),
    ]


def test_up_from_a_specimen_with_the_share_of_each_heap(filled: Lab) -> None:
    found = steps(filled, "M-1-S1", "up")
    assert (-1, "mix", "M-1", "cast from", None, "") in found
    assert {(s[2], s[3], s[4]) for s in found if s[0] == -2} == {
        ("RM-1-G", "component", 0.3), ("RM-1", "component", 0.2), ("CG-1", "component", 0.1),
        ("raw/limestone", "component", 0.4), ("water", "component, water", 0.4),
    }  # fmt: skip
    assert {s[2]: s[4] for s in found if s[1] == "source"} == {"H1": 0.5, "H2": 0.1}
    strength = filled.measurements(specimen="M-1-S1").index[0]
    assert [s[1:4] for s in steps(filled, strength, "up")][-2:] == [
        ("specimen", "M-1-S1", "measured on"), ("measurement", strength, "itself"),
    ]  # fmt: skip


def test_down_from_a_heap(filled: Lab) -> None:
    found = [s[:5] for s in steps(filled, "H1", "down")]
    assert found[0] == (0, "source", "H1", "itself", None)
    assert (1, "sample", "RM-1", "collected from it", None) in found
    assert (2, "sample", "RM-1-D", "portion", None) in found and (2, "mix", "M-1", "mixed into", 0.2) in found
    assert (4, "mix", "M-1", "mixed into", 0.3) in found
    assert [s[2] for s in found if s[1] == "specimen"] == ["M-1-S1", "M-1-S2"]  # once, though reached twice
    assert {s[2] for s in found if s[1] == "measurement"} == set(filled.measurements().index)


def test_both_ways_and_retracted_results(filled: Lab) -> None:
    uid = filled.measurements(sample="RM-1").index[0]
    assert [s[:4] for s in steps(filled, "RM-1")][:2] == [
        (-1, "source", "H1", "source"), (0, "sample", "RM-1", "itself")
    ]  # fmt: skip
    assert (1, "measurement", uid, "measurement", None, "XRF, draft") in steps(filled, "RM-1")
    filled.set_status(uid, "retracted", by="Wang", reason="wrong")
    assert uid not in [s[2] for s in steps(filled, "RM-1")]


def test_batches_of_the_waste_account(filled: Lab) -> None:
    from wastelab.lab import schema as s
    from wastelab.lab.store import uuid7

    with filled.store.write("synthetic batch") as act:
        act.insert("batch", {"uid": (batch := uuid7()), "code": "B-1", "waste_class": "red_mud",
                             "source": act.uid("source", "H1"), "received_at": "2026-01-01"})  # fmt: skip
        act.insert("batch_sample", {"batch": batch, "sample": act.uid("sample", "RM-1")})
    assert s.batch.name == "batch"
    assert (-1, "batch", "B-1", "batch", None, "") in steps(filled, "RM-1", "up")
    assert [x[1:3] for x in steps(filled, "B-1", "up")] == [("source", "H1"), ("batch", "B-1")]
    down = [x[:4] for x in steps(filled, "H1", "down")]
    assert (1, "batch", "B-1", "batch") in down and (2, "sample", "RM-1", "sample of the batch") in down


def test_a_code_that_two_kinds_share(filled: Lab) -> None:
    b.mix(filled, "RM-1", {"CG-1": 1.0})
    assert steps(filled, "RM-1", "up")[-1][1] == "sample"
    assert [s[1:3] for s in steps(filled, "mix:RM-1", "up")] == [
        ("source", "H2"), ("sample", "CG-1"), ("mix", "RM-1")
    ]  # fmt: skip


def test_shares_of_heaps_equal_a_recursion(new_lab: Any) -> None:
    rng = random.Random(4)
    lab = new_lab()
    heaps = ["H1", "H2", "H3"]
    for h in heaps:
        lab.add("source", code=h)
    origin: dict[str, str] = {}
    for n in range(25):
        code, more = f"S{n}", {}
        if origin and rng.random() < 0.6:
            more["parent"] = rng.choice(list(origin))
        if "parent" not in more or rng.random() < 0.2:
            more["source"] = rng.choice(heaps)
        origin[code] = more.get("source") or origin[more["parent"]]
        b.sample(lab, code, **more)
    for n in range(10):
        parts = rng.sample(list(origin), 5)
        lab_parts = dict.fromkeys(parts, 0.2)
        b.mix(lab, f"M{n}", lab_parts)
        expected: dict[str, float] = {}
        for p in parts:
            expected[origin[p]] = expected.get(origin[p], 0.0) + 0.2
        found = {s[2]: s[4] for s in steps(lab, f"M{n}", "up") if s[1] == "source" and s[4]}
        assert found == pytest.approx(expected)


def test_a_circle_in_the_catalogue_ends(new_lab: Any) -> None:
    from sqlalchemy import text

    lab = new_lab()
    b.sample(lab, "A")
    b.sample(lab, "B", parent="A")
    with lab.store.engine.connect() as conn:  # damage that no call of ours can do
        conn.execute(text("UPDATE sample SET parent_id = (SELECT id FROM sample WHERE code = 'B') WHERE code = 'A'"))
        conn.commit()
    assert [s[2] for s in steps(lab, "A", "up")] == ["B", "A"]
    assert [s[2] for s in steps(lab, "A", "down")] == ["A", "B", "A"]
    assert lab.samples().loc["A", "source"] == ""


def test_unknown_codes(filled: Lab) -> None:
    with pytest.raises(UnknownNameError, match="Did you mean 'RM-1"):
        lineage(filled.store, "RM-l")
    with pytest.raises(UnknownNameError, match="Did you mean 'down'"):
        lineage(filled.store, "RM-1", "dwon")

"""Synthetic content for laboratories under test; nothing here was measured."""

from __future__ import annotations

import numpy as np

from wastelab.instruments.base import Variable
from wastelab.lab.lab import Lab
from wastelab.lab.store import uuid7


def pattern(seed: int = 0, points: int = 200) -> dict[str, Variable]:
    """A synthetic diffraction pattern."""
    rng = np.random.default_rng(seed)
    return {
        "two_theta": Variable(("two_theta",), 5.0 + 0.02 * np.arange(points), "degree", "diffraction angle"),
        "intensity": Variable(("two_theta",), rng.integers(0, 20_000, points, dtype=np.int32), "counts", "counts"),
    }


def fill(lab: Lab, count: int = 3, *, prefix: str = "RM", visibility: str = "public", seed: int = 0) -> list[str]:
    """Put synthetic samples into a laboratory, each with an XRF result, an XRD curve and a raw file.

    Makes one source, one instrument with calibration, `count` samples (the second and later dried from the first), one
    mix with a specimen and its strength, and one superseded, retracted result. Returns the codes of the samples.
    """
    source = lab.add("source", code=f"{prefix}-HEAP", name="heap", name_zh="堆场", kind="heap", waste_class="red_mud")
    lab.add("instrument", code=f"{prefix}-XRD", technique="XRD", maker="synthetic")
    lab.add("calibration", instrument=f"{prefix}-XRD", calibrated_at="2026-01-05", certificate=f"{prefix}-C1")
    codes = []
    for n in range(count):
        codes.append(f"{prefix}-{n + 1:03d}")
        more = {} if n == 0 else {"parent": codes[0], "process": {"step": "dried"}}
        lab.add("sample", code=codes[-1], waste_class="red_mud", source=source, name_zh="赤泥", visibility=visibility,
                licence="CC-BY-4.0", **more)  # fmt: skip
    lab.add("mix", code=f"{prefix}-MIX", visibility=visibility, components=[
        {"sample": codes[0], "fraction": 0.4}, {"material": "raw/limestone", "fraction": 0.6},
    ])  # fmt: skip
    lab.add("specimen", code=f"{prefix}-S1", mix=f"{prefix}-MIX", geometry="prism",
            curing=[{"temperature": "20 degC", "duration": "27 d"}])  # fmt: skip
    for n, code in enumerate(codes):
        store_results(lab, code, seed=seed * 1000 + n, visibility=visibility, instrument=f"{prefix}-XRD")
    return codes


def store_results(lab: Lab, code: str, *, seed: int = 0, visibility: str = "public", instrument: str = "") -> str:
    """One act: raw file, upload, XRF values (one below detection) and an XRD curve of a sample; the act's hash."""
    store = lab.store
    with store.write("synthetic upload", reason="test") as act:
        sample = act.uid("sample", code)
        tool = act.uid("instrument", instrument) if instrument else None
        sha = act.put_raw(f"synthetic raw file {code} {seed}\n".encode() * 20, f"{code}-{seed}.txt")
        curve = act.put_curves([store.curves.encode(pattern(seed), {"technique": "XRD"})])[0]
        act.insert("upload", {"uid": (up := uuid7()), "raw_sha": sha, "filename": f"{code}-{seed}.txt", "at": act.at,
                              "actor": act.actor, "outcome": "stored", "receipt": '{"stored":2}'})  # fmt: skip
        common = {"sample": sample, "raw_sha": sha, "upload": up, "operator": "Li Wei", "measured_at": "2026-03-02",
                  "visibility": visibility}  # fmt: skip
        act.insert("measurement", {**common, "uid": (old := uuid7()), "technique": "XRF", "status": "retracted",
                                   "flags": '["below_detection"]', "note": "shifted column",
                                   "values": [{"quantity": "SiO2", "unit": "wt%", "value": None, "lod": 0.05,
                                               "flag": 1}]})  # fmt: skip
        act.insert("measurement", {**common, "technique": "XRF", "supersedes": old, "basis": "dry", "values": [
            {"quantity": "SiO2", "unit": "wt%", "value": 21.3 + seed / 7, "sigma": 0.1, "flag": 0, "basis": 2},
            {"quantity": "Cl", "unit": "wt%", "value": None, "lod": 0.01, "flag": 1, "basis": 2},
        ]})  # fmt: skip
        act.insert("measurement", {**common, "technique": "XRD", "curve_sha": curve,
                                   "instrument": tool})  # fmt: skip
    return act.event

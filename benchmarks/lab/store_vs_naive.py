"""The laboratory store beside the script a good programmer would write instead, same records, same run.

Each synthetic sample has a 12-oxide analysis, a diffraction pattern of 4 000 points (angle float64, counts int32) and a
TG-DSC curve of 2 000 points (3 x float32). wastelab runs every gate, writes the audit chain and waits for the disk; the
naive scripts do none of that.

    python benchmarks/lab/store_vs_naive.py --samples 2000
    python benchmarks/lab/store_vs_naive.py --samples 10000 --million
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import xarray as xr
import zstandard

import wastelab as wl
from wastelab.instruments import Reading, Value, Variable

OXIDES = ("SiO2", "Al2O3", "Fe2O3", "CaO", "MgO", "Na2O", "K2O", "TiO2", "P2O5", "MnO", "SO3", "LOI")
MEAN = np.array([18.0, 24.0, 26.0, 9.0, 1.2, 7.0, 0.8, 4.5, 0.3, 0.2, 0.6, 7.5])


def records(n: int):
    """Synthetic red muds, the same for everybody."""
    rng = np.random.default_rng(20261124)
    two_theta = 5.0 + 0.015 * np.arange(4000)
    profile = 200 + sum(
        a * np.exp(-(((two_theta - c) / 0.08) ** 2)) for a, c in ((3000, 33.2), (1500, 26.6), (900, 29.4))
    )
    seconds = 0.5 * 60 * np.arange(2000) / 10
    temperature = np.linspace(25, 1000, 2000)
    for i in range(n):
        oxides = MEAN * rng.normal(1.0, 0.03, 12)
        oxides *= 99.2 / oxides.sum()
        counts = rng.poisson(profile * rng.uniform(0.8, 1.2)).astype(np.int32)
        mass = (
            100 - 8 / (1 + np.exp(-(temperature - 320 - 9 * rng.random()) / 18)) + rng.normal(0, 0.003, 2000)
        ).astype("f4")
        heat = (np.sin(temperature / 150) + rng.normal(0, 0.02, 2000)).astype("f4")
        warm = (temperature + rng.normal(0, 0.05, 2000)).astype("f4")
        yield f"SYN-{i:06d}", np.round(oxides, 3), two_theta, counts, seconds, warm, mass, heat


def readings(n: int):
    """The same records as wastelab takes them."""
    for code, oxides, two_theta, counts, seconds, warm, mass, heat in records(n):
        fields = {"waste_class": "red_mud"}
        values = [Value(o, float(x), "wt%", sigma=0.05, basis="dry") for o, x in zip(OXIDES, oxides, strict=True)]
        yield Reading("XRF", values=values, sample=code, fields=fields, method="GB/T 176-2017", completeness="declared")
        yield Reading(
            "XRD", sample=code, fields=fields, completeness="declared",
            variables={
                "two_theta": Variable(("two_theta",), two_theta, "degree"),
                "intensity": Variable(("two_theta",), counts, "counts"),
            },
        )  # fmt: skip
        yield Reading(
            "TG", sample=code, fields=fields, completeness="declared",
            variables={
                "time": Variable(("time",), seconds, "s"),
                "temperature": Variable(("time",), warm, "degC"),
                "mass_percent": Variable(("time",), mass, "%"),
                "heat_flow": Variable(("time",), heat, "mW"),
            },
        )  # fmt: skip


def shuffled(a: np.ndarray) -> bytes:
    flat = np.ascontiguousarray(a)
    return flat.view(np.uint8).reshape(-1, flat.itemsize).T.tobytes()


def naive_files(folder: Path, n: int) -> float:
    """SQLite rows and one h5py file a curve, committed every 20 samples, no fsync, no checks."""
    folder.mkdir()
    db = sqlite3.connect(folder / "naive.sqlite")
    db.execute("CREATE TABLE v (sample TEXT, oxide TEXT, value REAL, sigma REAL)")
    start = time.perf_counter()
    for i, (code, oxides, two_theta, counts, seconds, warm, mass, heat) in enumerate(records(n)):
        db.executemany(
            "INSERT INTO v VALUES (?,?,?,?)", [(code, o, float(x), 0.05) for o, x in zip(OXIDES, oxides, strict=True)]
        )
        for kind, arrays in (
            ("xrd", {"two_theta": two_theta, "intensity": counts}),
            ("tg", {"time": seconds, "temperature": warm, "mass_percent": mass, "heat_flow": heat}),
        ):
            with h5py.File(folder / f"{code}-{kind}.h5", "w") as f:
                axis = next(iter(arrays))
                for name, a in arrays.items():
                    d = f.create_dataset(name, data=a, compression="gzip", shuffle=True)
                    d.attrs["units"] = "1"
                    if name == axis:
                        d.make_scale(name)
                    else:
                        d.dims[0].attach_scale(f[axis])
        if i % 20 == 19:
            db.commit()
    db.commit()
    took = time.perf_counter() - start
    db.close()
    return took


def naive_blob(folder: Path, n: int) -> float:
    """SQLite rows and byte-shuffled zstd blobs, committed every 20 samples with synchronous=FULL, no checks."""
    folder.mkdir()
    db = sqlite3.connect(folder / "naive.sqlite")
    db.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;"
        "CREATE TABLE v (sample TEXT, oxide TEXT, value REAL, sigma REAL);"
        "CREATE TABLE c (sample TEXT, kind TEXT, name TEXT, data BLOB);"
    )
    zip_ = zstandard.ZstdCompressor(6)
    start = time.perf_counter()
    for i, (code, oxides, two_theta, counts, seconds, warm, mass, heat) in enumerate(records(n)):
        db.executemany(
            "INSERT INTO v VALUES (?,?,?,?)", [(code, o, float(x), 0.05) for o, x in zip(OXIDES, oxides, strict=True)]
        )
        arrays = {
            "two_theta": two_theta,
            "intensity": counts,
            "time": seconds,
            "temperature": warm,
            "mass": mass,
            "heat": heat,
        }
        db.executemany(
            "INSERT INTO c VALUES (?,?,?,?)", [(code, "c", k, zip_.compress(shuffled(a))) for k, a in arrays.items()]
        )
        if i % 20 == 19:
            db.commit()
    db.commit()
    took = time.perf_counter() - start
    db.close()
    return took


def floor_bytes(n: int) -> int:
    """Shuffle + zstd of the bare numbers: what the size target is measured against."""
    zip_ = zstandard.ZstdCompressor(6)
    total = 0
    for _, oxides, *arrays in records(min(n, 300)):
        total += len(oxides.tobytes()) + sum(len(zip_.compress(shuffled(a))) for a in arrays)
    return int(total * n / min(n, 300))


def making(n: int) -> float:
    """Time to make the synthetic records alone; taken off every ingest."""
    start = time.perf_counter()
    for _ in records(n):
        pass
    return time.perf_counter() - start


def size(folder: Path) -> tuple[int, int]:
    """Bytes and bytes on disk below a folder."""
    stats = [p.stat() for p in folder.rglob("*") if p.is_file()]
    return sum(s.st_size for s in stats), sum(s.st_blocks * 512 for s in stats)


def timed(call, repeat: int = 5) -> tuple[float, float, object]:
    """Median and smallest time of a call, and its result."""
    times, result = [], None
    for _ in range(repeat):
        start = time.perf_counter()
        result = call()
        times.append(time.perf_counter() - start)
    return statistics.median(times), min(times), result


def line(what: str, ours: float, unit: str, peer: float | None = None, target: str = "", better: str = "less") -> None:
    ratio = ""
    if peer:
        factor = peer / ours if better == "less" else ours / peer
        ratio = f"  naive {peer:.4g} {unit}  ratio {factor:.2f}x"
    print(f"  {what:46s} {ours:10.4g} {unit}{ratio}{f'  (target {target})' if target else ''}", flush=True)


def run(backend: str, n: int, work: Path) -> None:
    print(f"\n== curves: {backend}, {n} samples")
    from wastelab.lab.curve_query import curve_arrays

    idle = making(n)
    naive_dir, lab_dir = work / f"naive-{backend}", work / f"lab-{backend}"
    peer = (naive_files if backend == "files" else naive_blob)(naive_dir, n) - idle
    lab = wl.open_lab(lab_dir, create=True, curves=backend, user="benchmark")
    start = time.perf_counter()
    lab.ingest(readings(n))
    took = time.perf_counter() - start - idle
    line(
        "ingest, gates + audit + fsync",
        n / took,
        "samples/s",
        n / peer,
        ">= 150" if backend == "files" else ">= 500",
        "more",
    )
    bare, floor = size(lab_dir), floor_bytes(n)
    line("size / (shuffle + zstd of the numbers)", bare[0] / floor, "x", size(naive_dir)[0] / floor, "<= 1.2")
    line("  the same, blocks on disk", bare[1] / floor, "x", size(naive_dir)[1] / floor)

    def pivot():
        with sqlite3.connect(naive_dir / "naive.sqlite") as db:
            long = pd.read_sql("SELECT sample, oxide, value FROM v", db)
        return xr.DataArray(long.pivot_table(index="sample", columns="oxide", values="value"))

    ours, _, table = timed(lambda: lab.composition(basis="dry"))
    theirs, _, wide = timed(pivot)
    np.testing.assert_allclose(
        table["composition"].sel(oxide="SiO2").sortby("sample").values, wide.sel(oxide="SiO2").sortby("sample").values
    )
    line("oxide table of all samples to xarray", ours, "s", theirs, "<= 0.3")

    rng = np.random.default_rng(1)
    codes = [f"SYN-{i:06d}" for i in rng.integers(0, n, 300)]
    for code in codes[:20]:
        curve_arrays(lab.store, code, "XRD")
    start = time.perf_counter()
    for code in codes:
        curve_arrays(lab.store, code, "XRD")
    ours = (time.perf_counter() - start) / len(codes) * 1e3
    theirs = None
    if backend == "files":
        start = time.perf_counter()
        for code in codes[:100]:
            with xr.open_dataset(naive_dir / f"{code}-xrd.h5", engine="h5netcdf") as ds:
                ds.load()
        theirs = (time.perf_counter() - start) / 100 * 1e3
    line("one curve, warm (arrays)", ours, "ms", theirs, "<= 1.5" if backend == "files" else "<= 0.3")
    ours, _, _ = timed(lambda: lab.curve(codes[0], "XRD"), 50)
    line("one curve, warm (xarray.Dataset)", ours * 1e3, "ms")

    start = time.perf_counter()
    lab.curves("XRD")
    line("all patterns stacked, first time", time.perf_counter() - start, "s")
    ours, _, stack = timed(lambda: lab.curves("XRD"), 3)
    theirs = None
    if backend == "files":
        start = time.perf_counter()
        for i in range(0, n, max(1, n // 500)):
            with h5py.File(naive_dir / f"SYN-{i:06d}-xrd.h5", "r") as f:
                f["intensity"][()], f["two_theta"][()]
        theirs = (time.perf_counter() - start) * n / len(range(0, n, max(1, n // 500)))
    line("all patterns stacked, from the cache", ours, "s", theirs, "<= 3")
    assert stack.sizes["two_theta"] == 4000
    report = lab.verify()
    print(f"  verify: {'clean' if report.ok else report.text('en')}")
    lab.close()


def million(work: Path) -> None:
    """A million samples: by class, by date, by text."""
    print("\n== 1 000 000 samples")
    lab = wl.open_lab(work / "million", create=True, user="benchmark")
    classes = ("red_mud", "fly_ash", "coal_gangue", "fgd_gypsum", "smelting_slag", "tailings")
    start = time.perf_counter()
    for first in range(0, 1_000_000, 50_000):
        with lab.store.write("benchmark") as act:
            act.insert_many(
                "sample",
                [
                    {"code": f"S-{i:07d}", "waste_class": classes[i % 6], "name_zh": f"样品{i}",
                     "name": f"synthetic {i}",
                     "collected_at": f"20{10 + i % 16}-{1 + i % 12:02d}-{1 + i % 28:02d}",
                     "note": "赤泥堆场东侧" if i % 997 == 0 else ""}
                    for i in range(first, first + 50_000)
                ],
            )  # fmt: skip
    print(f"  inserted in {time.perf_counter() - start:.0f} s")
    for what, where in (
        ("by class, first 1000", {"waste_class": "red_mud", "limit": 1000}),
        ("by date, one month", {"collected_from": "2020-07-01", "collected_to": "2020-07-31", "limit": 10000}),
        ("by text, Chinese", {"text": "堆场东"}),
        ("by class, date and text", {"waste_class": "red_mud", "collected_from": "2020-01-01", "text": "堆场东"}),
    ):
        took, _, table = timed(lambda where=where: lab.samples(**where), 3)
        line(f"{what} ({len(table)} rows)", took, "s", None, "<= 1")
    took, _, _ = timed(lambda: lab.search("堆场东"), 3)
    line("full-text search", took, "s", None, "<= 1")
    lab.close()


def import_time() -> None:
    def best(code: str) -> float:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True)
            times.append(time.perf_counter() - start)
        return min(times)

    bare = best("pass")
    ours, pandas_ = best("import wastelab") - bare, best("import pandas") - bare
    line("import wastelab (peer: import pandas)", ours, "s", pandas_, "<= 0.15")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=2000)
    parser.add_argument("--backend", choices=["files", "blob", "both"], default="both")
    parser.add_argument("--million", action="store_true", help="Also a million samples (minutes).")
    parser.add_argument("--folder", type=Path, help="Where to work (a local disk).")
    args = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="wastelab-bench-", dir=args.folder))
    print(
        f"python {sys.version.split()[0]}, {os.cpu_count()} cores, h5py {h5py.__version__}, "
        f"sqlite {sqlite3.sqlite_version}"
    )
    try:
        import_time()
        for backend in ("files", "blob") if args.backend == "both" else (args.backend,):
            run(backend, args.samples, work)
        if args.million:
            million(work)
        print(f"\npeak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()

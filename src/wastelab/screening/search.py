"""Run a compiled recipe: chunks of the lattice in threads, exact Pareto set, exact counts.

The answer does not depend on the number of threads or on their timing: every chunk starts from the same
coarse-lattice front and keeps its own archive; archives are merged at the end. Ctrl-C leaves what the
finished chunks found, marked as partial.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import RecipeError
from .assemblage import search_chunk
from .pareto import nondominated
from .program import Program

IntArray = NDArray[np.int64]
Progress = Callable[[int, int], None]

#: A process point is cut into at least and at most this many chunks, of about so many blends.
_CHUNKS_MIN, _CHUNKS_MAX, _CHUNK_BLENDS = 64, 4096, 4_000_000
_PREFIXES_MAX = 200_000
_SEED_BLENDS = 200_000
#: The same where every candidate is given its phases: smaller, the feasible ones are listed in memory.
_CHUNK_LISTED = 250_000


@dataclass(frozen=True)
class Result:
    """What a search found.

    Attributes
    ----------
    blends : int array (a, d)
        Lattice coordinates of the Pareto set [1/m], recipe order.
    point : int array (a,)
        Process point of each.
    objectives : int array (a, k)
        Objective values on their integer grid, smaller is better.
    top_blends, top_point : int arrays
        Best list by the recipe's ``[top]``, best first.
    sample, sample_point : int arrays
        Feasible candidates of the coarse lattice, for pictures.
    total, feasible, pruned_by : int, int, int array (R,)
        ``total == feasible + pruned_by.sum()`` when complete.
    segments : int
        Line segments whose objectives were evaluated.
    searched : int
        Candidates in finished chunks (``== total`` when complete).
    complete : bool
    seconds : float
        Wall time of the search [s], compilation included.
    """

    blends: IntArray
    point: IntArray
    objectives: IntArray
    top_blends: IntArray
    top_point: IntArray
    sample: IntArray
    sample_point: IntArray
    sample_m: int
    total: int
    feasible: int
    pruned_by: IntArray
    segments: int
    searched: int
    complete: bool
    seconds: float


@dataclass
class _Chunk:
    point: int
    prefixes: IntArray
    size: int


def default_threads() -> int:
    """Processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def search(program: Program, *, threads: int | None = None, progress: Progress | None = None) -> Result:
    """Exact Pareto set and counts of a compiled recipe.

    Parameters
    ----------
    program : Program
    threads : int, optional
        Worker threads; all processors by default. Does not change the result.
    progress : callable, optional
        Called with (candidates done, candidates in all) from the main thread.

    Returns
    -------
    Result
    """
    started = time.perf_counter()
    space = program.space
    threads = default_threads() if threads is None else max(1, threads)
    seeds, sample, sample_point, sample_m = _coarse(program, threads)
    found = _run(
        program, space.lo, space.hi, space.m, seeds, threads, program.recipe.top.k if program.recipe.top else 0,
        0, progress,
    )  # fmt: skip
    return Result(
        **found,
        sample=sample,
        sample_point=sample_point,
        sample_m=sample_m,
        total=space.candidates,
        seconds=time.perf_counter() - started,
    )


def _coarse(program: Program, threads: int) -> tuple[IntArray, IntArray, IntArray, int]:
    """Front of a coarse sub-lattice (exact subset of the lattice): a filter, and a sample for pictures."""
    from .space import count_blends

    space = program.space
    best: tuple[int, list[int], list[int]] | None = None
    for divisor in range(1, space.m + 1):
        if space.m % divisor:
            continue
        lo = [-(-x // divisor) for x in space.lo]
        hi = [x // divisor for x in space.hi]
        m = space.m // divisor
        if any(a > b for a, b in zip(lo, hi, strict=True)):
            continue
        number = count_blends(lo, hi, m)
        if 0 < number <= _SEED_BLENDS:
            best = (divisor, lo, hi)
            break
    d = len(space.materials)
    none = np.empty((0, program.n_objectives), dtype=np.int64)
    empty = np.empty((0, d), dtype=np.int64), np.empty(0, dtype=np.int64)
    if best is None:
        return none, *empty, space.m
    divisor, lo, hi = best
    sample_cap = max(200, 40_000 // len(space.points))
    found = _run(program, tuple(lo), tuple(hi), space.m // divisor, none, threads, 0, sample_cap, None, scale=divisor)
    return (
        found["objectives"] if found["complete"] else none,
        found.pop("sample", empty[0]),
        found.pop("sample_point", empty[1]),
        space.m // divisor,
    )


def _run(
    program: Program,
    lo: tuple[int, ...],
    hi: tuple[int, ...],
    m: int,
    seeds: IntArray,
    threads: int,
    top_k: int,
    sample_cap: int,
    progress: Progress | None,
    scale: int = 1,
) -> dict[str, Any]:
    from . import _kernels

    d = len(lo)
    by_range = np.array(sorted(range(d), key=lambda i: (hi[i] - lo[i], i)), dtype=np.int64)
    pad = max(0, 2 - d)  # the kernel needs two materials; a dummy that is always zero changes nothing
    lo_s = np.array([0] * pad + [lo[i] for i in by_range], dtype=np.int64)
    hi_s = np.array([0] * pad + [min(hi[i], m) for i in by_range], dtype=np.int64)
    order_s = np.concatenate([np.arange(d, d + pad), by_range]).astype(np.int64)
    k0 = min(2, len(lo_s) - 2)
    if k0 == 2 and int(np.prod(hi_s[:2] - lo_s[:2] + 1)) > _PREFIXES_MAX:
        k0 = 1
    count = _kernels.lattice_counts(lo_s, hi_s, m)
    prefixes = _prefixes(lo_s, hi_s, m, count, k0)
    weights = count[k0, m - prefixes.sum(axis=1)] if k0 else count[0, m : m + 1]
    blends = int(weights.sum())

    tables: dict[int, tuple[IntArray, IntArray]] = {}

    def rows(p: int) -> tuple[IntArray, IntArray]:
        found = tables.get(p)
        if found is None:
            if len(tables) > 4 * threads:
                tables.clear()
            g = np.ascontiguousarray(_pad(program.points[p].g * scale, pad)[order_s])
            found = tables[p] = (g, _kernels.lower_bounds(g, lo_s, hi_s, m))
        return found

    listed = program.phase_search is not None
    chunks = _chunks(prefixes, weights, len(program.points), _CHUNK_LISTED if listed else _CHUNK_BLENDS)
    stop = np.zeros(1, dtype=np.int64)

    def work(chunk: _Chunk) -> tuple[Any, ...]:
        point = program.points[chunk.point]
        g, table = rows(chunk.point)
        num = np.ascontiguousarray(_pad(point.numerator * scale, pad)[order_s])
        den = np.ascontiguousarray(_pad(point.denominator * scale, pad)[order_s])
        if listed:
            cut = np.zeros(len(program.requirements), dtype=np.int64)
            head = chunk.prefixes, lo_s, hi_s, m, g, point.threshold, table, count, order_s
            number = _kernels.list_feasible(*head, np.zeros_like(cut), np.empty((0, d + pad), dtype=np.int32))
            points = np.empty((number, d + pad), dtype=np.int32)
            _kernels.list_feasible(*head, cut, points)
            blends = points[:, :d].astype(np.int64)
            return search_chunk(
                program, chunk.point, blends, scale, point.numerator, point.denominator, cut, top_k, sample_cap, stop
            )
        out: tuple[Any, ...] = _kernels.search(
            chunk.prefixes, lo_s, hi_s, m, g, point.threshold, table, count, num, den, point.factor,
            program.n_objectives, order_s, seeds, top_k, sample_cap, stop,
        )  # fmt: skip
        return out

    n_rows = len(program.requirements)
    fronts: list[tuple[IntArray, IntArray, IntArray]] = []
    tops: list[tuple[IntArray, IntArray, IntArray]] = []
    samples: list[tuple[IntArray, IntArray]] = []
    pruned = np.zeros(n_rows, dtype=np.int64)
    feasible = segments = searched = 0
    complete = True
    total = blends * len(program.points)

    def collect(chunk: _Chunk, out: tuple[Any, ...]) -> None:
        nonlocal feasible, segments, searched, complete
        arch, pts, top_v, top_n, sample, cut, ok, seen, done = out
        if not done:
            complete = False
            return
        fronts.append((arch, pts[:, :d].astype(np.int64) * scale, np.full(len(arch), chunk.point)))
        if top_k:
            tops.append((top_v, top_n[:, :d].astype(np.int64) * scale, np.full(len(top_v), chunk.point)))
        if sample_cap:
            samples.append((sample[:, :d].astype(np.int64) * scale, np.full(len(sample), chunk.point)))
        pruned[:] += cut
        feasible += int(ok)
        segments += int(seen)
        searched += chunk.size
        if sum(len(f[0]) for f in fronts) > 400_000:
            fronts[:] = [_merge(fronts, program.n_objectives, d)]

    queue = iter(chunks)
    running: dict[Future[tuple[Any, ...]], _Chunk] = {}
    with ThreadPoolExecutor(threads) as pool:
        try:
            for chunk in queue:
                running[pool.submit(work, chunk)] = chunk
                if len(running) >= 2 * threads:
                    ready, _ = wait(running, return_when=FIRST_COMPLETED)
                    for future in ready:
                        collect(running.pop(future), future.result())
                    if progress:
                        progress(searched, total)
            for future in list(running):
                collect(running.pop(future), future.result())
                if progress:
                    progress(searched, total)
        except KeyboardInterrupt:
            stop[0] = 1
            complete = False
            with _deaf_to_interrupts():  # one Ctrl-C often arrives twice; the wrap-up is short
                for future, chunk in list(running.items()):
                    if not future.cancel():
                        collect(chunk, future.result())
    complete = complete and searched == total
    front = _merge(fronts, program.n_objectives, d)
    answer: dict[str, Any] = {
        "objectives": front[0],
        "blends": front[1],
        "point": front[2],
        "feasible": feasible,
        "pruned_by": pruned,
        "segments": segments,
        "searched": searched,
        "complete": complete,
    }
    top_blends, top_point = _merge_top(tops, top_k, d)
    if sample_cap:
        points = np.concatenate([s[0] for s in samples]) if samples else np.empty((0, d), dtype=np.int64)
        at = np.concatenate([s[1] for s in samples]) if samples else np.empty(0, dtype=np.int64)
        order = np.lexsort((*points.T[::-1], at))  # chunks finish in any order
        answer["sample"], answer["sample_point"] = points[order], at[order]
    else:
        answer["top_blends"], answer["top_point"] = top_blends, top_point
    return answer


@contextmanager
def _deaf_to_interrupts() -> Iterator[None]:
    """Ignore further interrupts while what is finished is gathered (main thread only)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _pad(array: IntArray, pad: int) -> IntArray:
    if not pad:
        return array
    return np.concatenate([array, np.zeros((pad, array.shape[1]), dtype=np.int64)])


def _prefixes(lo: IntArray, hi: IntArray, m: int, count: IntArray, k0: int) -> IntArray:
    """All values of the first k0 materials that leave a non-empty rest, in lexicographic order."""
    if k0 == 0:
        return np.empty((1, 0), dtype=np.int64)
    ranges = [range(int(lo[i]), min(int(hi[i]), m) + 1) for i in range(k0)]
    kept = [p for p in product(*ranges) if sum(p) <= m and count[k0, m - sum(p)] > 0]
    return np.array(kept, dtype=np.int64).reshape(len(kept), k0)


def _chunks(prefixes: IntArray, weights: IntArray, n_points: int, size: int) -> list[_Chunk]:
    """Cut each process point into runs of prefixes of about `size` blends; independent of threads."""
    wanted = min(max(int(weights.sum()) // size, _CHUNKS_MIN), _CHUNKS_MAX)
    per_point = max(1, min(wanted, len(prefixes)))
    edges = np.searchsorted(
        np.cumsum(weights, dtype=np.float64), np.linspace(0, float(weights.sum()), per_point + 1)[1:-1]
    )
    parts = [part for part in np.split(np.arange(len(prefixes)), np.unique(edges)) if len(part)]
    return [
        _Chunk(p, np.ascontiguousarray(prefixes[part]), int(weights[part].sum()))
        for p in range(n_points)
        for part in parts
    ]


def _merge(
    fronts: list[tuple[IntArray, IntArray, IntArray]], n_objectives: int, d: int
) -> tuple[IntArray, IntArray, IntArray]:
    """Non-dominated union of archives, sorted by objectives, then process point, then blend."""
    if not fronts:
        return (
            np.empty((0, n_objectives), dtype=np.int64),
            np.empty((0, d), dtype=np.int64),
            np.empty(0, dtype=np.int64),
        )
    values = np.concatenate([f[0] for f in fronts])
    blends = np.concatenate([f[1] for f in fronts])
    point = np.concatenate([f[2] for f in fronts])
    keep = _nondominated_int(values)
    values, blends, point = values[keep], blends[keep], point[keep]
    order = np.lexsort((*blends.T[::-1], point, *values.T[::-1]))
    return values[order], blends[order], point[order]


def _nondominated_int(values: IntArray) -> NDArray[np.bool_]:
    if np.abs(values, dtype=np.float64).max(initial=0.0) >= 2.0**53:  # pragma: no cover - resolution forbids it
        raise RecipeError("An objective is too large to be compared exactly; check the prices and factors.")
    return nondominated(values)


def _merge_top(tops: list[tuple[IntArray, IntArray, IntArray]], k: int, d: int) -> tuple[IntArray, IntArray]:
    if not tops or not k:
        return np.empty((0, d), dtype=np.int64), np.empty(0, dtype=np.int64)
    values = np.concatenate([t[0] for t in tops])
    blends = np.concatenate([t[1] for t in tops])
    point = np.concatenate([t[2] for t in tops])
    order = np.lexsort((point, *blends.T[::-1], values))[:k]
    return blends[order], point[order]

"""Exact screening of a shipped recipe: wastelab beside a chunked NumPy enumeration, same run, same work.

The peer is what a good script does today: build blends in chunks, compute every criterion as arrays, keep
the feasible ones, filter the front. Both must give the same front; then their times are compared. A recipe whose phases
come from equilibrium is run with the closed formulas in their place: the enumeration knows no equilibrium.

    python benchmarks/screening/exact_vs_numpy.py --recipe red_mud_bye_clinker --steps "5 %,2.5 %,2 %"
"""

from __future__ import annotations

import argparse
import resource
import time
from dataclasses import replace
from itertools import product

import numpy as np

from wastelab.routes import get_route
from wastelab.screening import load_recipe, prepare
from wastelab.screening.pareto import nondominated
from wastelab.screening.search import search
from wastelab.screening.study import evaluate, mix_components

CHUNK = 200_000


def chunks(space):
    """Blends as integer arrays of at most CHUNK rows."""
    lo, hi, m = space.lo, space.hi, space.m
    tail = len(lo) - 3
    heads = product(*[range(a, b + 1) for a, b in zip(lo[:tail], hi[:tail], strict=True)])
    a = np.arange(lo[-3], hi[-3] + 1)
    b = np.arange(lo[-2], hi[-2] + 1)
    grid = np.stack(np.meshgrid(a, b, indexing="ij"), axis=-1).reshape(-1, 2)
    rows, held = [], 0
    for head in heads:
        last = m - sum(head) - grid.sum(axis=1)
        ok = (last >= lo[-1]) & (last <= hi[-1])
        block = np.column_stack([np.tile(head, (int(ok.sum()), 1)), grid[ok], last[ok]])
        rows.append(block)
        held += len(block)
        if held >= CHUNK:
            yield np.concatenate(rows)
            rows, held = [], 0
    if held:
        yield np.concatenate(rows)


def numpy_peer(program):
    """Front by enumeration; only the criteria that decide are computed."""
    route, space = program.route, program.space
    decide = list(dict.fromkeys([*route.implied, *program.windows, *program.objectives]))
    front_values, front_blends, seen = [], [], 0
    for blends in chunks(space):
        seen += len(blends)
        for p, point in enumerate(program.points):
            mixes = mix_components(blends / space.m, point.components)
            ok = np.ones(len(blends), dtype=bool)
            value = {}
            for symbol in decide:
                value[symbol] = evaluate(route.criteria[symbol], mixes)
                ok &= ~np.isnan(value[symbol])
                if symbol in program.windows:
                    w = program.windows[symbol]
                    if w.low is not None:
                        ok &= value[symbol] >= w.low - 1e-9
                    if w.high is not None:
                        ok &= value[symbol] <= w.high + 1e-9
            for requirement in program.requirements:
                if requirement.kind == "standard":
                    j = program.requirements.index(requirement)
                    ok &= blends @ point.g[:, j] <= point.threshold[j]
            if not ok.any():
                continue
            values = np.column_stack(
                [
                    np.floor((1 if sense == "min" else -1) * value[s][ok] / res + 0.5)
                    for s, sense, res in zip(program.objectives, program.directions, program.resolution, strict=True)
                ]
            )
            keep = nondominated(values)
            front_values.append(values[keep])
            front_blends.append(np.column_stack([np.full(int(keep.sum()), p), blends[ok][keep]]))
        if sum(map(len, front_values)) > 20_000:
            values, blends = np.concatenate(front_values), np.concatenate(front_blends)
            keep = nondominated(values)
            front_values, front_blends = [values[keep]], [blends[keep]]
    if not front_values:
        return seen, set()
    values, blends = np.concatenate(front_values), np.concatenate(front_blends)
    return seen, {tuple(map(int, row)) for row in blends[nondominated(values)]}


def linear(name):
    """A recipe without its temperature, and without requirements that only an equilibrium can judge."""
    recipe = load_recipe(name)
    route = get_route(recipe.route)
    if route.assemblage is None:
        return recipe
    kept = {symbol: text for symbol, text in recipe.require.items() if symbol in route.criteria}
    return replace(recipe, process={}, require=kept)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--recipe", default="red_mud_bye_clinker")
    parser.add_argument("--steps", default="5 %,2.5 %,2 %,1 %,0.5 %")
    parser.add_argument("--peer-limit", type=float, default=2e7, help="largest lattice the peer is run on")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    recipe = linear(args.recipe)
    search(prepare(recipe, step=args.steps.split(",")[0].strip()))  # compile the kernels first
    print(f"{'step':>7} {'candidates':>16} {'feasible':>13} {'front':>7} {'wastelab s':>11} {'cand/s':>9} "
          f"{'NumPy s':>8} {'ratio':>8}  same front")  # fmt: skip
    for step in (s.strip() for s in args.steps.split(",")):
        program = prepare(recipe, step=step)
        started = time.perf_counter()
        result = search(program, threads=args.threads)
        ours = time.perf_counter() - started
        line = (
            f"{step:>7} {result.total:>16,} {result.feasible:>13,} {len(result.blends):>7,} {ours:>11.4f} "
            f"{result.total / ours:>9.2g}"
        )
        if result.total <= args.peer_limit:
            started = time.perf_counter()
            _, front = numpy_peer(program)
            theirs = time.perf_counter() - started
            found = {(int(p), *map(int, b)) for p, b in zip(result.point, result.blends, strict=True)}
            line += f" {theirs:>8.2f} {theirs / ours:>7.0f}x  {'yes' if front == found else 'NO'}"
        else:
            line += f" {'-':>8} {'-':>8}  -"
        print(line, flush=True)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"peak memory of the process, peer included: {peak:.0f} MB")


if __name__ == "__main__":
    main()

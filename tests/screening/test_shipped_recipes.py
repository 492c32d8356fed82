"""Twin: every shipped recipe on a coarse lattice against a brute-force NumPy enumeration.

The twin knows nothing of integer rows: it makes every blend, evaluates every criterion as published and
compares all pairs.
"""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from wastelab.errors import RecipeError
from wastelab.screening import prepare, shipped_recipes
from wastelab.screening.assemblage import inside_window, is_phase
from wastelab.screening.limits import acceptance_window, unit_factor
from wastelab.screening.program import missing_inputs
from wastelab.screening.search import search
from wastelab.screening.study import build_study, evaluate, mix_components
from wastelab.standards import load_grade

#: lattice steps that keep the enumeration below about 10^5 candidates
STEPS = ["20 %", "10 %", "5 %", "4 %", "2.5 %", "2 %"]


def coarse(name):
    program = None
    for step in STEPS:
        try:
            finer = prepare(shipped_recipes()[name], step=step)
        except RecipeError:  # bounds may leave no point on the coarsest lattices
            continue
        if finer.space.candidates > 60_000 and program is not None:
            break
        program = finer
        if finer.space.candidates > 60_000:
            break
    return program


def enumerate_blends(space):
    heads = product(*[range(a, b + 1) for a, b in zip(space.lo[:-1], space.hi[:-1], strict=True)])
    points = [(*h, space.m - sum(h)) for h in heads if space.lo[-1] <= space.m - sum(h) <= space.hi[-1]]
    return np.array(points, dtype=np.int64)


def brute_force(program):
    space, route = program.space, program.route
    blends = enumerate_blends(space)
    fractions = blends / space.m
    windows, limits = [(s, w) for s, w in program.windows.items()], {}
    for reference in program.recipe.standards:
        for limit in load_grade(reference).limits:
            criterion = route.criteria.get(limit.property)
            if criterion is None or limit.property in route.potential or not limit.numeric or limit.when:
                continue
            factor = unit_factor(limit.unit, criterion.unit)
            if factor is None:
                continue
            windows.append((limit.property, (limit.acceptance(), factor)))
            limits[limit.property] = (limit, factor)
    kept, points, values = [], [], []
    for p, point in enumerate(program.points):
        mixes = program.mixes(fractions, p)  # phases, where the recipe has them, are checked by their own twin
        zeroed = mix_components(fractions, {k: np.nan_to_num(v) for k, v in point.components.items()})
        ok = np.ones(len(blends), dtype=bool)
        needed = [*route.implied, *program.windows, *program.objectives]
        for symbol in needed:
            ok &= ~np.isnan(evaluate(route.criteria[symbol], mixes))
        for symbol, window in windows:
            criterion = route.criteria[symbol]
            lacking = missing_inputs(criterion.numerator, point.components, space.materials)
            if is_phase(criterion):
                wanted = acceptance_window(*limits[symbol]) if isinstance(window, tuple) else window
                plain = mix_components(fractions, point.components)
                for shift in {0.0, -program.phase_search.tolerance, program.phase_search.tolerance}:
                    moved = program.phase_search.phases.extend(plain, p, shift)
                    ok &= inside_window(wanted, np.asarray(criterion.evaluate(moved)))
                continue
            if missing_inputs(criterion.denominator, point.components, space.materials):
                continue  # the mass of product is unknown: nothing can be decided
            # a missing non-negative input only discards what must fail whatever it is
            known = {name: np.zeros(len(blends)) for name in criterion.numerator} | zeroed
            value = np.asarray(criterion.evaluate(known if lacking else mixes))
            if isinstance(window, tuple):
                acceptance, factor = window
                low = None if acceptance.low is None else float(acceptance.low) * factor
                high = None if acceptance.high is None else float(acceptance.high) * factor
                open_low, open_high = not acceptance.low_inclusive, not acceptance.high_inclusive
            else:
                low, high = window.low, window.high
                open_low, open_high = not window.low_inclusive, not window.high_inclusive
            slack = 1e-9 * max(1.0, *(abs(x) for x in (low, high) if x is not None))
            if low is not None and not lacking:
                ok &= value > low + slack if open_low else value >= low - slack
            if high is not None:
                ok &= value < high - slack if open_high else value <= high + slack
        objective = np.column_stack(
            [
                (1 if sense == "min" else -1) * np.asarray(route.criteria[s].evaluate(mixes)) / res
                for s, sense, res in zip(program.objectives, program.directions, program.resolution, strict=True)
            ]
        )
        kept.append(blends[ok])
        points.append(np.full(int(ok.sum()), p))
        values.append(np.floor(objective[ok] + 0.5))
    blends, points, values = np.concatenate(kept), np.concatenate(points), np.concatenate(values)
    front = np.ones(len(values), dtype=bool)
    for i in range(len(values)):
        better = (values <= values[i]).all(axis=1) & (values < values[i]).any(axis=1)
        front[i] = not better.any()
    return len(blends), {(int(p), *map(int, b)) for p, b in zip(points[front], blends[front], strict=True)}


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_pareto_set_equals_brute_force(name):
    program = coarse(name)
    assert program is not None
    result = search(program)
    n_feasible, expected = brute_force(program)
    found = {(int(p), *map(int, b)) for p, b in zip(result.point, result.blends, strict=True)}
    assert result.complete
    assert result.feasible + result.pruned_by.sum() == result.total == program.space.candidates
    assert result.feasible == n_feasible
    assert found == expected


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_has_a_feasible_mix_and_says_what_for(name):
    program = prepare(shipped_recipes()[name])
    recipe = program.recipe
    assert recipe.name and recipe.name_zh and recipe.purpose and recipe.trust
    assert search(coarse(name)).complete


def test_threads_do_not_change_the_study():
    program = coarse("red_mud_bye_clinker")
    one, many = search(program, threads=1), search(program, threads=3)
    for a, b in zip(
        (one.blends, one.point, one.objectives, one.top_blends, one.pruned_by),
        (many.blends, many.point, many.objectives, many.top_blends, many.pruned_by),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)
    assert one.segments == many.segments
    assert build_study(program, one).dataset.identical(build_study(program, many).dataset)

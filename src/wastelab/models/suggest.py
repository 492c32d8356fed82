"""Which mixes to test next: a batch of candidates chosen together from what a model believes about them.

Four strategies: ``improve`` (beat the best test so far), ``learn`` (know the property better everywhere), ``front``
(trade the property off against others) and ``fill`` (cover the candidates evenly; also used while there are too few
tests for a model). It chooses among the candidates given; it does not make up new ones.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ..errors import ModelError, UnknownNameError
from ..errors import suggest as did_you_mean
from . import strategies
from .belief import FloatArray, Limits, Posterior
from .strategies import Choice, Task
from .suggest_texts import Said, keep, said, words


def suggest(
    candidates: pd.DataFrame,
    posterior: Posterior | None,
    n: int = 1,
    *,
    objective: str | tuple[float, float] = "max",
    strategy: str = "improve",
    tested: pd.DataFrame | None = None,
    measured: ArrayLike | None = None,
    noise_variance: float = 0.0,
    of: str | None = None,
    limit: Limits | None = None,
    front: Mapping[str, str] | None = None,
    others: Mapping[str, Posterior] | None = None,
    constraints: Mapping[str, Limits] | None = None,
    cost: str | None = None,
    in_domain: ArrayLike | None = None,
    outside: str = "allow",
    batch: str = "joint",
    compare: str = "measured",
    interval: float = 0.9,
    min_tests: int = 3,
    columns: list[str] | None = None,
    at: Mapping[str, float] | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """The next tests to make.

    Parameters
    ----------
    candidates : pandas.DataFrame
        One row for each mix that could be tested, as the model takes them; the index names them.
    posterior : Posterior or None
        None while there is no model: the candidates are covered evenly.
    n : int
        Number of tests to make together.
    objective : {"max", "min"} or (lower, upper)
        What the property should be: large, small, or within a window.
    strategy : {"improve", "learn", "front", "fill"}
    tested : pandas.DataFrame, optional
        Mixes tested before, with the columns of the candidates. They are not suggested again.
    measured : array_like, optional
        Their results [unit of the property]. NaN where the test is still running: no result yet, not suggested again.
    noise_variance : float
        Variance of one test on the scale of the posterior, for ``learn`` and for batches by belief.
    of : str, optional
        A column known without a test (cost, CO2) that should be large or small (`objective`) while the property keeps
        its `limit`: "the cheapest mix of at least 40 MPa".
    limit : (lower, upper), optional
        Limits that the property itself must keep; None for an open side.
    front : mapping of name to {"max", "min"}, optional
        For ``front``: what else counts, columns known without a test or names of `others`.
    others : mapping of name to Posterior, optional
        Models of further properties, for `front` and `constraints`, independent of this one.
    constraints : mapping of name to (lower, upper), optional
        Limits on columns (candidates beyond are left out) or on `others` (weighed by the probability to keep them).
    cost : str, optional
        Column with the cost of making the test: gains are per unit of it.
    in_domain : array_like of bool, optional
        Whether the model is valid at each candidate.
    outside : {"allow", "refuse"}
        What to do with candidates outside: suggest them and say so, or leave them out.
    batch : {"joint", "believer", "diverse"}
        How ``improve`` chooses several: by joint draws, by believing each prediction, or by a determinant.
    compare : {"measured", "believed"}
        What ``improve`` has to beat: the best result, or in each joint draw the best true value among the tests (noisy
        expected improvement), which does not take a lucky result at its word: for tests that scatter much.
    interval : float
        Probability of the interval shown.
    min_tests : int
        Results below which the candidates are covered evenly, whatever the strategy.
    columns : list of str, optional
        Columns by which mixes differ; by default all that `candidates` and `tested` share.
    at : mapping of column to number, optional
        Conditions at which the property is wanted, such as ``{"age_d": 28}``: set in every candidate. Tests at others
        have taught the model, but are not what has to be beaten, and their mixes may be suggested.
    seed : int
        Of the draws.

    Returns
    -------
    pandas.DataFrame
        A row for each suggested test, in the order of importance: ``order``, ``candidate`` (index of it), ``mean``,
        ``lower``, ``upper`` [unit of the property], ``chance`` of beating the best test (of lying within a window,
        where `objective` is one; for ``front`` of not being beaten in everything; NaN for ``learn`` and ``fill``),
        ``feasible`` (probability of keeping the limits), ``gain``, ``in_domain``, ``why``.
        attrs: ``strategy`` as used, ``gain`` (what it measures), ``best``, ``notes`` (what was left out, and other
        things to know), ``rows`` (positions in `candidates`), ``seed``, ``said`` (texts as keys and values, for
        `wastelab.models.suggest_texts.in_language`).

    Raises
    ------
    ModelError, MissingDataError, UnknownNameError
        If nothing is left to suggest, an input cannot be, or a value that is needed is missing.

    Notes
    -----
    Duplicates among the candidates count once. If fewer than `n` remain, all of them are returned and a note says so.
    """
    task = Task(
        objective,
        strategy,
        of,
        limit,
        dict(front or {}),
        dict(others or {}),
        dict(constraints or {}),
        cost,
        float(noise_variance),
        interval,
        batch,
        compare,
        seed,
    )
    _check(candidates, n, task, tested, measured, outside, columns)
    results = np.zeros(0) if measured is None else np.asarray(measured, dtype=np.float64)
    notes: list[Said] = []
    if at:
        candidates, tested, results = _conditions(candidates, tested, results, at, notes)
    inside = np.ones(len(candidates), dtype=bool) if in_domain is None else np.asarray(in_domain, dtype=bool)
    if inside.shape != (len(candidates),):
        raise ModelError(f"in_domain has shape {inside.shape}, expected one truth value for each of {len(candidates)}")
    shared = _shared(candidates, tested, columns)
    rows = _eligible(candidates, tested, shared, task, inside, outside, notes)
    if len(rows) < n:
        notes.append(said("fewer", n=int(n), left=len(rows)))
    n, pool, known = min(n, len(rows)), candidates.iloc[rows], np.isfinite(results)
    few = tested is not None and int(known.sum()) < min_tests
    if strategy != "fill" and (posterior is None or few):
        too_few = said("few_results", n=int(known.sum()), strategy=strategy)
        notes.append(said("no_model", strategy=strategy) if posterior is None else too_few)
        strategy = "fill"
    if strategy == "fill" or posterior is None:
        choice = strategies.fill(pool, tested, shared, n, None if few else posterior, interval)
    else:
        done = None if tested is None else tested[known]
        state = strategies.State(pool, done, results[known], posterior, task)
        do = {"learn": strategies.learn, "front": strategies.front, "improve": strategies.improve}[strategy]
        choice = do(state, n, notes)
    return _table(choice, candidates, rows, inside, strategy, notes, task)


# ---- what is asked ---------------------------------------------------------------------------------------------------


def _check(
    candidates: pd.DataFrame,
    n: int,
    task: Task,
    tested: pd.DataFrame | None,
    measured: ArrayLike | None,
    outside: str,
    columns: list[str] | None,
) -> None:
    if not isinstance(candidates, pd.DataFrame) or not len(candidates):
        raise ModelError("candidates must be a DataFrame with at least one row: the mixes that could be tested")
    if isinstance(n, bool) or not isinstance(n, int | np.integer) or n < 1:
        raise ModelError(f"n is {n!r}, expected a whole number of tests from 1")
    for name, value, allowed in (
        ("strategy", task.strategy, ("improve", "learn", "front", "fill")),
        ("outside", outside, ("allow", "refuse")),
        ("batch", task.batch, ("joint", "believer", "diverse")),
        ("compare", task.compare, ("measured", "believed")),
    ):
        if value not in allowed:
            raise UnknownNameError(f"{name} {value!r} is none of {', '.join(allowed)}.{did_you_mean(value, allowed)}")
    if not 0.0 < task.interval < 1.0:
        raise ModelError(f"interval is {task.interval}, expected a probability between 0 and 1, such as 0.9")
    if isinstance(task.objective, str):
        if task.objective not in ("max", "min"):
            raise UnknownNameError(f"objective {task.objective!r}; expected 'max', 'min' or a window (lower, upper)")
    elif len(task.objective) != 2 or not float(task.objective[0]) <= float(task.objective[1]):
        raise ModelError(f"objective {task.objective!r}; a window is (lower, upper) with lower <= upper")
    if (tested is None) != (measured is None):
        raise ModelError("tested and measured belong together: give the mixes tested before and their results, or none")
    results = np.zeros(0) if measured is None else np.asarray(measured, dtype=np.float64)
    if tested is not None and results.shape != (len(tested),):
        raise ModelError(f"measured has shape {results.shape}, expected one result for each of {len(tested)} tests")
    if np.isinf(results).any():
        raise ModelError("measured holds an infinite result; correct it, or set it to NaN if the test failed")
    for name, (lower, upper) in [*task.constraints.items(), *([("limit", task.limit)] if task.limit else [])]:
        if lower is not None and upper is not None and lower > upper:
            raise ModelError(f"limits of {name}: lower {lower:g} is above upper {upper:g}")
    known = [c for c in task.constraints if c not in task.others] + [c for c in task.front if c not in task.others]
    for c in [*known, *([task.of] if task.of else []), *([task.cost] if task.cost else []), *(columns or [])]:
        if c not in candidates.columns:
            raise UnknownNameError(f"'{c}' is no column of the candidates.{did_you_mean(c, candidates.columns)}")
    for c, direction in task.front.items():
        if direction not in ("max", "min"):
            raise UnknownNameError(f"front: direction {direction!r} of '{c}'; expected 'max' or 'min'")
    if task.strategy == "front":
        if not task.front:
            raise ModelError("strategy 'front' needs front={column: 'min' or 'max', ...}: what else counts")
        if not isinstance(task.objective, str):
            raise ModelError("strategy 'front' needs objective 'max' or 'min', not a window")
    if (task.of is None) != (task.limit is None) or (task.of is not None and not isinstance(task.objective, str)):
        raise ModelError(
            "of= (a known column to be large or small) and limit= (of the property) belong together, with objective "
            "'max' or 'min'; for a property within limits give objective=(lower, upper)"
        )
    if task.cost is not None and not (candidates[task.cost].to_numpy(dtype=np.float64, na_value=np.nan) > 0.0).all():
        raise ModelError(f"cost column '{task.cost}' must be a number above 0 for every candidate")
    numbers = candidates.select_dtypes("number")
    infinite = np.isinf(numbers.to_numpy(dtype=np.float64, na_value=np.nan))
    if infinite.any():
        i, j = np.argwhere(infinite)[0]
        raise ModelError(f"candidate {candidates.index[i]}, column '{numbers.columns[j]}': infinite; correct the value")


def _eligible(
    candidates: pd.DataFrame,
    tested: pd.DataFrame | None,
    shared: list[str],
    task: Task,
    inside: NDArray[np.bool_],
    outside: str,
    notes: list[Said],
) -> NDArray[np.int64]:
    """Positions that may be suggested; what is left out is noted."""
    size = len(candidates)
    keys = _keys(candidates[shared])
    first = ~keys.duplicated().to_numpy()
    if not first.all():
        notes.append(said("repeated", n=size - int(first.sum())))
    kept = first.copy()
    if tested is not None and len(tested):
        both = pd.concat([_keys(tested[shared]), keys])
        fresh = ~both.duplicated().to_numpy()[len(tested) :]
        known = first & ~fresh
        if known.any():
            notes.append(said("tested", n=int(known.sum())))
        kept &= fresh
    for name, (lower, upper) in task.constraints.items():
        if name in task.others:
            continue
        values = candidates[name].to_numpy(dtype=np.float64, na_value=np.nan)
        good = (values >= (-np.inf if lower is None else lower)) & (values <= (np.inf if upper is None else upper))
        if (kept & ~good).any():
            unknown = int((kept & np.isnan(values)).sum())
            more = said("beyond_unknown", n_unknown=unknown) if unknown else ()
            notes.append(said("beyond", n=int((kept & ~good).sum()), name=name) + more)
        kept &= good
    beyond = int((kept & ~inside).sum())
    if outside == "refuse":
        if beyond:
            notes.append(said("refused", n=beyond))
        kept &= inside
    elif beyond and beyond == int(kept.sum()):
        notes.append(said("all_outside"))
    rows = np.flatnonzero(kept)
    if not len(rows):
        reasons = "; ".join(map(words, notes))
        raise ModelError(f"no candidate is left to suggest out of {size}: {reasons}. Give other candidates")
    return rows


def _conditions(
    candidates: pd.DataFrame,
    tested: pd.DataFrame | None,
    results: FloatArray,
    at: Mapping[str, float],
    notes: list[Said],
) -> tuple[pd.DataFrame, pd.DataFrame | None, FloatArray]:
    """Candidates under the conditions wanted, and the tests made under them."""
    candidates = candidates.assign(**{str(k): float(v) for k, v in at.items()})
    if tested is None:
        return candidates, None, results
    same = np.ones(len(tested), dtype=bool)
    for name, value in at.items():
        if name not in tested.columns:
            raise UnknownNameError(f"at: '{name}' is no column of the tests.{did_you_mean(name, tested.columns)}")
        column = tested[name].to_numpy(dtype=np.float64, na_value=np.nan)
        same &= np.isclose(column, float(value), rtol=1e-9, atol=0.0)
    if not same.all():
        where = ", ".join(f"{k} = {v:g}" for k, v in at.items())
        notes.append(said("elsewhere", n=int((~same).sum()), all=len(same), conditions=where))
    return candidates, tested[same], results[same]


def _shared(candidates: pd.DataFrame, tested: pd.DataFrame | None, columns: list[str] | None) -> list[str]:
    wanted = list(candidates.columns) if columns is None else columns
    if tested is None:
        return wanted
    shared = [c for c in wanted if c in tested.columns]
    if not shared or (columns is not None and len(shared) < len(wanted)):
        missing = sorted(set(wanted) - set(shared), key=str)
        raise ModelError(f"tested lacks columns of the candidates: {', '.join(map(str, missing))}")
    return shared


def _keys(table: pd.DataFrame) -> pd.DataFrame:
    """What makes two mixes the same: numbers to nine digits, texts as they are."""
    out = {}
    for c in table.columns:
        if pd.api.types.is_numeric_dtype(table[c].dtype):
            x = table[c].to_numpy(dtype=np.float64, na_value=np.nan)
            with np.errstate(divide="ignore", invalid="ignore"):
                unit = 10.0 ** (np.floor(np.log10(np.abs(x))) - 8.0)
                out[c] = np.where(x == 0.0, 0.0, np.round(x / unit) * unit)
        else:
            out[c] = table[c].astype(object).where(table[c].notna(), None).to_numpy()
    return pd.DataFrame(out, index=table.index)


def _table(
    choice: Choice,
    candidates: pd.DataFrame,
    rows: NDArray[np.int64],
    inside: NDArray[np.bool_],
    strategy: str,
    notes: list[Said],
    task: Task,
) -> pd.DataFrame:
    chosen = rows[choice.rows]
    why = [text if ok else text + said("outside") for text, ok in zip(choice.why, inside[chosen], strict=True)]
    table = pd.DataFrame(
        {
            "order": np.arange(1, len(chosen) + 1),
            "candidate": candidates.index[chosen],
            "mean": choice.mean,
            "lower": choice.lower,
            "upper": choice.upper,
            "chance": choice.chance,
            "feasible": choice.feasible,
            "gain": choice.gain,
            "in_domain": inside[chosen],
        }
    )
    keep(table, why=why, notes=notes, gain=choice.measure)
    table.attrs.update(
        strategy=strategy,
        gain=words(choice.measure),
        best=None if np.isnan(choice.best) else choice.best,
        interval=task.interval,
        notes=[words(note) for note in notes],
        rows=[int(i) for i in chosen],
        seed=task.seed,
    )
    return table

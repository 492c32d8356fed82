"""Strategies of `wastelab.models.suggest`: what is believed about each candidate, and which batch follows from it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from . import acquisition, batches
from .belief import Limits, Posterior, ask, complete, expected, inverse, keeps, marginal, property_sd, quantile, within
from .suggest_texts import Said, said

FloatArray = NDArray[np.float64]

JOINT = 1000
"""Candidates considered together; of more, those with the largest gain of their own are taken first."""
N_SAMPLES = 1024


@dataclass(frozen=True)
class Task:
    """What is asked; see `wastelab.models.suggest.suggest`."""

    objective: str | tuple[float, float] = "max"
    strategy: str = "improve"
    of: str | None = None
    limit: Limits | None = None
    front: dict[str, str] = field(default_factory=dict)
    others: dict[str, Posterior] = field(default_factory=dict)
    constraints: dict[str, Limits] = field(default_factory=dict)
    cost: str | None = None
    noise_variance: float = 0.0
    interval: float = 0.9
    batch: str = "joint"
    compare: str = "measured"
    seed: int = 0

    def utility(self, values: FloatArray) -> FloatArray:
        """Values as something to be large."""
        if self.objective == "max":
            return values
        if self.objective == "min":
            return -values
        lower, upper = float(self.objective[0]), float(self.objective[1])
        return -np.maximum(np.maximum(lower - values, values - upper), 0.0)


@dataclass
class Choice:
    """Chosen positions in the pool, and what to show of them."""

    rows: list[int]
    gain: FloatArray
    measure: Said
    why: list[Said]
    mean: FloatArray
    lower: FloatArray
    upper: FloatArray
    chance: FloatArray
    feasible: FloatArray
    best: float = np.nan


class State:
    """Candidates that may be suggested, with the marginal belief about each.

    Parameters
    ----------
    pool, tested : pandas.DataFrame
        `tested` only where there is a result.
    measured : ndarray
    posterior : Posterior
    task : Task
    """

    def __init__(
        self,
        pool: pd.DataFrame,
        tested: pd.DataFrame | None,
        measured: FloatArray,
        posterior: Posterior,
        task: Task,
    ) -> None:
        self.pool, self.posterior, self.task, self.measured = pool, posterior, task, measured
        self.tested = tested if tested is not None and len(tested) else None
        self.mean, self.sd = marginal(posterior, pool)
        self.others = {k: marginal(p, pool) for k, p in task.others.items()}
        self.feasible = np.ones(len(pool))
        if task.limit is not None:
            self.feasible = self.feasible * within(posterior, self.mean, self.sd, task.limit)
        for name, limits in task.constraints.items():
            if name in task.others:
                self.feasible = self.feasible * within(task.others[name], *self.others[name], limits)
        self.per_cost = np.ones(len(pool)) if task.cost is None else 1.0 / complete(task.cost, pool)

    def shortlist(self, score: FloatArray) -> NDArray[np.int64]:
        """Positions considered together: all, or those of the largest score, then of the largest sd."""
        if len(score) <= JOINT:
            return np.arange(len(score))
        head = np.argsort(-score, kind="stable")[: JOINT - JOINT // 10]
        curious = np.argsort(-self.sd, kind="stable")[:JOINT]
        return np.sort(np.concatenate([head, np.setdiff1d(curious, head)[: JOINT // 10]]))

    def choice(self, rows: list[int], gain: FloatArray, measure: Said, chance: FloatArray) -> Choice:
        """What to show of the chosen."""
        mean, sd, z = self.mean[rows], self.sd[rows], quantile(self.task.interval)
        return Choice(
            rows,
            gain,
            measure,
            [],
            expected(self.posterior, mean, sd),
            inverse(self.posterior, mean - z * sd),
            inverse(self.posterior, mean + z * sd),
            chance,
            self.feasible[rows],
        )


# ---- strategies ------------------------------------------------------------------------------------------------------


def fill(
    pool: pd.DataFrame,
    tested: pd.DataFrame | None,
    columns: list[str],
    n: int,
    posterior: Posterior | None = None,
    interval: float = 0.9,
) -> Choice:
    """Cover the candidates evenly."""
    done = None if tested is None or not len(tested) else tested[columns]
    rows, distance = batches.space_filling(pool[columns], n, done)
    nothing = np.full(len(rows), np.nan)
    mean, lower, upper = nothing, nothing, nothing
    if posterior is not None:
        mu, sd = marginal(posterior, pool.iloc[rows])
        z = quantile(interval)
        mean, lower, upper = (
            expected(posterior, mu, sd),
            inverse(posterior, mu - z * sd),
            inverse(posterior, mu + z * sd),
        )
    why = [
        said("middle") if i == 0 and done is None else said("farthest", distance=f"{d:.2f}")
        for i, d in enumerate(distance)
    ]
    return Choice(rows, distance, said("gain_fill"), why, mean, lower, upper, nothing, nothing)


def learn(state: State, n: int, notes: list[Said]) -> Choice:
    """Tests after which the property is known best over all candidates."""
    score = state.sd * state.feasible * state.per_cost
    if len(score) > JOINT:
        sample = np.random.default_rng(state.task.seed).choice(len(score), JOINT - JOINT // 10, replace=False)
        most = np.setdiff1d(np.argsort(-score, kind="stable")[:JOINT], sample)[: JOINT // 10]
        short = np.sort(np.concatenate([sample, most]))
        notes.append(said("averaged", n=len(short), all=len(score)))
    else:
        short = np.arange(len(score))
    _, cov = ask(state.posterior, state.pool.iloc[short])
    weight = (state.feasible * state.per_cost)[short]
    picked, gain = batches.greedy_variance_reduction(cov, n, state.task.noise_variance, weight)
    before = max(float(np.mean(np.diag(cov))), 1e-300)
    rows = [int(short[i]) for i in picked]
    share = gain / before
    out = state.choice(rows, share, said("gain_learn"), np.full(len(rows), np.nan))
    out.why = [
        said("lowers", share=f"{100 * g / max(w, 1e-300):.0f}", **_ends(lo, hi))
        for g, w, lo, hi in zip(share, weight[picked], out.lower, out.upper, strict=True)
    ]
    return out


def improve(state: State, n: int, notes: list[Said]) -> Choice:
    """Tests with the largest expected improvement on the best of what was tested."""
    task = state.task
    compared = _compared(state)
    alone = _alone(state) + np.log(np.maximum(state.per_cost * (1.0 if task.of else state.feasible), 1e-300))
    short = state.shortlist(alone)
    pool = state.pool.iloc[short]
    mu, cov = ask(state.posterior, pool if compared is None else pd.concat([pool, compared]))
    draws = inverse(state.posterior, batches.joint_samples(mu, cov, N_SAMPLES, task.seed))
    at_pool, at_tested = draws[:, : len(short)], draws[:, len(short) :]
    weight = state.per_cost[short] * state.feasible[short]
    if task.of is not None:
        # the column is known; what is drawn is whether the property keeps its limits
        known = task.utility(complete(task.of, pool))
        floor = float(known.min()) - 1e-9 * (1.0 + abs(float(known.min())))
        utility = np.where(keeps(at_pool, task.limit), known, floor)
        reference = np.full(len(draws), floor)
        if compared is not None:
            before = np.where(keeps(at_tested, task.limit), task.utility(complete(task.of, compared)), floor)
            reference = np.maximum(before.max(axis=1), floor)
        weight = weight / np.maximum(within(state.posterior, state.mean, state.sd, task.limit)[short], 1e-300)
    else:
        utility = task.utility(at_pool)
        if compared is not None and task.compare == "believed":
            reference = task.utility(at_tested).max(axis=1)
        elif compared is not None:
            reference = np.full(len(draws), float(task.utility(state.measured).max()))
        else:
            reference = np.full(len(draws), float(utility.mean(axis=0).max()))
            notes.append(said("no_tests"))
    exact = _exact(state, short, reference) if task.of is None else None
    if exact is not None:
        exact = exact * weight
    picked, gain = _batch(task, n, utility, reference, weight, cov[: len(short), : len(short)], exact)
    if gain.max(initial=0.0) <= 0.0:
        picked = [int(i) for i in np.argsort(-alone[short], kind="stable")[:n]]
        gain = np.zeros(len(picked))
        met = task.of is None and not isinstance(task.objective, str) and float(np.median(reference)) >= 0.0
        notes.append(said("window_met") if met else said("no_gain"))
    rows = [int(short[i]) for i in picked]
    chance = (utility[:, picked] > reference[:, None]).mean(axis=0)
    if task.of is None and not isinstance(task.objective, str):  # nothing beats what is within a window
        chance = within(state.posterior, state.mean[rows], state.sd[rows], task.objective)
    measure = said("gain_of", of=task.of) if task.of else said("gain_property")
    out = state.choice(rows, gain, measure + (said("gain_cost", cost=task.cost) if task.cost else ()), chance)
    if isinstance(task.objective, str):
        out.best = float(np.median(reference)) * (-1.0 if task.objective == "min" else 1.0)
    out.why = _reasons(state, out)
    return out


def front(state: State, n: int, notes: list[Said]) -> Choice:
    """Tests with the largest expected growth of the hypervolume."""
    task = state.task
    names = list(task.front)
    sign = np.array(
        [1.0 if task.objective == "max" else -1.0] + [1.0 if task.front[k] == "max" else -1.0 for k in names]
    )
    mean = np.empty((len(state.pool), len(sign)))
    sd = np.zeros_like(mean)
    scale_mean = expected(state.posterior, state.mean, state.sd)
    mean[:, 0], sd[:, 0] = scale_mean, property_sd(state.posterior, state.mean, state.sd)
    for j, name in enumerate(names, 1):
        if name in task.others:
            m, s = state.others[name]
            mean[:, j], sd[:, j] = expected(task.others[name], m, s), property_sd(task.others[name], m, s)
        else:
            mean[:, j] = complete(name, state.pool)
    done = np.zeros((0, len(sign)))
    if state.tested is not None:
        done = np.column_stack([state.measured, *[complete(k, state.tested) for k in names]])
    mean, done = mean * sign, done * sign
    every = np.vstack([mean, done])
    low, high = every.min(axis=0), every.max(axis=0)
    span = np.where(high > low, high - low, 1.0)
    mean, sd, done = (mean - low) / span, sd / span, (done - low) / span
    reference = np.full(len(sign), -0.05)  # a little below the worst, so that the ends of the front count too
    weight = state.feasible * state.per_cost
    gain = acquisition.expected_hypervolume_improvement(mean, sd, done, reference) * weight
    short = state.shortlist(gain) if n > 1 else np.arange(len(gain))
    _, covariance = ask(state.posterior, state.pool.iloc[short]) if n > 1 else (0.0, np.zeros((0, 0)))
    gain, left, believed = gain[short], sd[short], done
    picked: list[int] = []
    gains: list[float] = []
    while True:
        gain[picked] = -np.inf
        i = int(np.argmax(gain))
        picked.append(i)
        gains.append(float(gain[i]))
        if len(picked) == n:
            break
        # believe the prediction, and know what varies with it better
        believed = np.vstack([believed, mean[short[i]]])
        before = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
        covariance = batches.condition(covariance, i, task.noise_variance)
        left[:, 0] *= np.sqrt(np.maximum(np.diag(covariance), 0.0)) / before
        gain = acquisition.expected_hypervolume_improvement(mean[short], left, believed, reference) * weight[short]
    rows = [int(short[i]) for i in picked]
    free = np.array([_not_dominated(mean[r], sd[r], done, task.seed) for r in rows])
    out = state.choice(rows, np.array(gains), said("gain_front"), free)
    out.why = [
        said("predicted", mean=f"{m:.4g}", **_ends(lo, hi))
        + said(
            "beside",
            others=", ".join(
                f"{k} {mean[r, j] * span[j] * sign[j] + low[j] * sign[j]:.4g}" for j, k in enumerate(names, 1)
            ),
        )
        + said("chance_front", chance=f"{100 * c:.0f}")
        for r, m, lo, hi, c in zip(rows, out.mean, out.lower, out.upper, free, strict=True)
    ]
    return out


# ---- parts of the strategies -----------------------------------------------------------------------------------------


def _batch(
    task: Task,
    n: int,
    utility: FloatArray,
    reference: FloatArray,
    weight: FloatArray,
    covariance: FloatArray,
    exact: FloatArray | None,
) -> tuple[list[int], FloatArray]:
    """Members of a batch in the way that was asked for, and what each adds."""
    if task.batch == "joint" or n == 1 or task.of is not None:
        return batches.greedy_expected_improvement(utility, n, reference, weight, exact)
    if task.batch == "believer":
        spread = np.atleast_2d(np.cov(utility, rowvar=False))
        return batches.kriging_believer(
            utility.mean(axis=0),
            spread,
            n,
            float(reference.mean()),
            lambda mean, sd, best: acquisition.expected_improvement(mean, sd, best) * weight,
            task.noise_variance,
        )
    alone = np.maximum(utility - reference[:, None], 0.0).mean(axis=0) * weight
    picked = batches.determinantal(covariance, n, np.maximum(alone, 1e-3 * float(alone.max())))
    rest = [int(i) for i in np.argsort(-alone, kind="stable") if i not in set(picked)]
    picked = (picked + rest)[:n]
    return picked, alone[picked]


def _exact(state: State, short: NDArray[np.int64], reference: FloatArray) -> FloatArray | None:
    """Expected improvement of each candidate alone by formula, where the posterior is of the property itself."""
    task = state.task
    if state.tested is None or task.compare != "measured" or getattr(state.posterior, "inverse", None) is not None:
        return None
    mean, sd, best = state.mean[short], state.sd[short], float(reference[0])
    if isinstance(task.objective, str):
        return acquisition.expected_improvement(mean if task.objective == "max" else -mean, sd, best)
    return acquisition.expected_approach(mean, sd, float(task.objective[0]), float(task.objective[1]), -best)


def _compared(state: State, most: int = 300) -> pd.DataFrame | None:
    """The tests believed best, at most so many."""
    if state.tested is None:
        return None
    task = state.task
    mean, sd = marginal(state.posterior, state.tested)
    if task.of is None:
        worth = task.utility(inverse(state.posterior, mean))
    else:
        worth = task.utility(complete(task.of, state.tested))
        worth = np.where(within(state.posterior, mean, sd, task.limit) > 0.0, worth, -np.inf)
    return state.tested.iloc[np.argsort(-worth, kind="stable")[:most]]


def _alone(state: State) -> FloatArray:
    """Logarithm of the gain of each candidate alone, or what ranks like it: for the short list and for ties."""
    task = state.task
    if task.of is not None:
        worth = task.utility(complete(task.of, state.pool))
        return np.log(worth - float(worth.min()) + 1e-9) + np.log(np.maximum(state.feasible, 1e-300))
    if isinstance(task.objective, str):
        sign = 1.0 if task.objective == "max" else -1.0
        latent = sign * state.mean
        target = latent if state.tested is None else sign * marginal(state.posterior, state.tested)[0]
        return acquisition.log_expected_improvement(latent, state.sd, float(target.max()))
    inside = within(state.posterior, state.mean, state.sd, task.objective)
    off = -task.utility(expected(state.posterior, state.mean, state.sd))
    return np.log(np.maximum(inside, 1e-300)) - off / max(float(off.max()), 1e-300)


def _reasons(state: State, out: Choice) -> list[Said]:
    task = state.task
    typical = float(np.median(state.sd))
    reasons = []
    for r, mean, low, high, chance, gain in zip(
        out.rows, out.mean, out.lower, out.upper, out.chance, out.gain, strict=True
    ):
        text = said("predicted", mean=f"{mean:.4g}", **_ends(low, high))
        if task.of is not None:
            text += said("beside", others=f"{task.of} {float(state.pool[task.of].iloc[r]):.4g}")
            text += said("chance_kept", chance=f"{100 * chance:.0f}")
        elif isinstance(task.objective, str):
            text += said("chance_best", chance=f"{100 * chance:.0f}", best=f"{out.best:.4g}")
        else:
            inside = float(within(state.posterior, state.mean[[r]], state.sd[[r]], task.objective)[0])
            text += said(
                "chance_within", chance=f"{100 * inside:.0f}", low=f"{task.objective[0]:g}",
                high=f"{task.objective[1]:g}",
            )  # fmt: skip
        if state.sd[r] > 1.5 * typical:
            text += said("little_known")
        if gain < 0.0:
            text += said("adds_nothing")
        reasons.append(text)
    return reasons


def _not_dominated(mean: FloatArray, sd: FloatArray, done: FloatArray, seed: int) -> float:
    """Probability that no test so far is at least as good in every objective."""
    if not len(done):
        return 1.0
    draws = mean + sd * np.random.default_rng(seed).standard_normal((N_SAMPLES, len(mean)))
    return 1.0 - float(np.mean(np.any(np.all(done[None, :, :] >= draws[:, None, :], axis=2), axis=1)))


def _ends(lower: float, upper: float) -> dict[str, str]:
    """Ends of an interval for a text."""
    return {"lower": f"{lower:.4g}", "upper": f"{upper:.4g}"}

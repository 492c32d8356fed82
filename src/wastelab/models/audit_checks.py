"""Checks of rows: repeated ones, names of mixes, results that disagree or agree too well, groups, and leaking splits.

Each check takes a `View` and yields findings; its criterion stands in its docstring.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np

from .audit_view import Finding, View, at_least, at_least_of, groups_of, pair, signature
from .design import FloatArray, IntArray
from .folds import Split


def repeated_rows(view: View) -> Iterator[Finding]:
    """Rows equal in composition, age and result, beyond what rounding explains.

    Two results of standard deviation s written in steps r agree by chance with probability r / (2 sqrt(pi) s). Reported
    where the number of such rows is too great for what is expected (more than twice, and Poisson probability below
    0.001); for information only where it is not.
    """
    copies: list[int] = []
    expected = 0.0
    for rows in groups_of(view.cell, 2):
        y = view.y[rows]
        copies += [int(r) for r, first in zip(rows, _first(y), strict=True) if not first]
        expected += len(rows) * (len(rows) - 1) / 2 * float(np.mean(_chance(view, np.abs(y))))
    if not copies:
        return
    beyond = len(copies) > 2.0 * expected and at_least(len(copies), expected) < 0.001
    yield view.finding("repeated_rows", "warn" if beyond else "info", copies, expected=f"{expected:.2g}")
    if beyond:
        yield from _repeated_series(view)


def _repeated_series(view: View) -> Iterator[Finding]:
    """Mixes whose results of three or more ages are all listed several times, each time the same."""
    if not view.data.age:
        return
    found: list[tuple[int, IntArray]] = []
    for rows in groups_of(view.composition, 6):
        ages, y = view.log_age[rows].round(9), view.y[rows]
        counts = [np.unique(y[ages == a], return_counts=True)[1].max() for a in np.unique(ages)]
        times = int(np.sort(counts)[::-1][min(2, len(counts) - 1)])
        if len(counts) >= 3 and times >= 2:
            found.append((times, rows))
    if found:
        often = ", ".join(f"{view.data.rows[rows[0]]}: {times} times" for times, rows in found[:5])
        at = np.concatenate([rows for _, rows in found])
        yield view.finding("repeated_series", "warn", at, groups=len(found), often=often)


def copied_results(view: View) -> Iterator[Finding]:
    """Results copied to another age of the mix, or a whole series copied to another mix.

    Within a mix: exact agreement between ages, three rows at least and more than expected (Poisson, 0.1 %) from how
    many differ by less than a tenth of the median. Between mixes: equal results at three or more ages, not all equal,
    if fewer than 0.01 pairs are expected (the first age by the spread of the table, the others by that of tests).
    """
    if not view.data.age:
        return
    at: list[int] = []
    gaps: list[FloatArray] = []
    low, high = view.y.min(), view.y.max()
    series: dict[tuple[tuple[float, float], ...], list[IntArray]] = {}
    for rows in groups_of(view.composition, 2):
        ages, y = view.log_age[rows].round(9), view.y[rows]
        if len(np.unique(ages)) < 2:
            continue
        i, j = np.triu_indices(len(rows), 1)
        other = ages[i] != ages[j]
        gaps.append(np.abs(y[i] - y[j])[other])
        equal = other & (y[i] == y[j]) & (y[i] != low) & (y[i] != high)
        at += rows[j[equal]].tolist()
        points = tuple(sorted(set(zip(ages.tolist(), y.tolist(), strict=True))))
        if len(points) >= 3 and len({p[1] for p in points}) >= 3:
            series.setdefault(points, []).append(rows)
    at = sorted(set(at))
    near = 0.1 * float(np.median(np.abs(view.y)))
    gap = np.concatenate(gaps) if gaps else np.zeros(0)
    expected = view.resolution * float(np.sum((gap > 0) & (gap <= near))) / max(2.0 * near, 1e-12)
    if len(at) >= 3 and at_least(len(at), expected) < 0.001:
        yield view.finding("copied_results", "warn", at, expected=f"{expected:.2g}")
    pairs = len(series) * (len(series) - 1) / 2
    for points, found in series.items():
        chance = _chance(view, np.abs([y for _, y in points[1:]]))
        first = view.resolution / (2.0 * np.sqrt(np.pi) * max(float(np.std(view.y)), 1e-12))
        if len(found) > 1 and max(pairs, 1.0) * first * float(np.prod(chance)) < 0.01:
            yield view.finding("copied_series", "warn", np.concatenate(found), times=len(points))


def mix_names(view: View) -> Iterator[Finding]:
    """One composition under several names, one name for several compositions, and nearly equal mixes.

    Compositions are compared to six significant digits. One name for several counts as an error where a quantity
    (kg/m3, kg/t or %) differs by more than 1 %, as information where only other columns do. Nearly equal mixes (all
    numbers within 0.5 %, no text differs) are reported where the table itself gives mixes no names. Other columns of
    names than that which splits are made by count less.
    """
    data = view.data
    names = dict(view.names)
    if not data.mix_from.startswith("rows"):
        names = {data.mix_from or "mix": np.array([data.mix_names[m] for m in data.mix]), **names}
    one_kind: set[tuple[int, ...]] = set()
    for column, values in names.items():
        code = np.unique(values, return_inverse=True)[1].astype(np.int64)
        code[values == ""] = -1
        yield from _several_names(view, column, code)
        for found in _several_mixes(view, column, code):
            if found.at not in one_kind:
                one_kind.add(found.at)
                yield found
    if data.mix_from.startswith("rows"):
        yield from _nearly_equal(view)


def _several_names(view: View, column: str, code: IntArray) -> Iterator[Finding]:
    check, key = "same_mix_two_names", column in (view.data.mix_from, "mix")
    inside: list[IntArray] = []
    across: list[IntArray] = []
    for rows in groups_of(view.composition, 2):
        rows = rows[code[rows] >= 0]
        if len(np.unique(code[rows])) < 2:
            continue
        if not key and view.data.age and len(np.unique(code[rows])) == len(np.unique(view.log_age[rows])) == len(rows):
            continue  # the name counts specimens or ages, not mixes
        source = view.data.source
        if source is None or any(len(np.unique(code[rows][source[rows] == s])) > 1 for s in np.unique(source[rows])):
            inside.append(rows)
        else:
            across.append(rows)
    if inside:
        severity = "severe" if key else "warn"
        yield view.finding(check, severity, np.concatenate(inside), column=column, groups=len(inside))
    if across:
        yield view.finding(f"{check}.sources", "info", np.concatenate(across), column=column, groups=len(across))


def _several_mixes(view: View, column: str, code: IntArray) -> Iterator[Finding]:
    quantity: list[IntArray] = []
    other: list[IntArray] = []
    named: dict[bool, set[str]] = {True: set(), False: set()}
    shared = pair(code, view.data.source) if view.data.source is not None else code
    for rows in groups_of(shared, 2):
        rows = rows[code[rows] >= 0]
        if len(np.unique(view.composition[rows])) < 2:
            continue
        differ = _differing(view, rows)
        amounts = [c for c in differ if view.data.units.get(c, "") in ("kg/m3", "kg/t", "%", "kg/kg")]
        if differ:
            (quantity if amounts else other).append(rows)
            named[bool(amounts)] |= set(amounts or differ)
    key = column in (view.data.mix_from, "mix")
    for found, kind, severity in ((quantity, True, "warn" if key else "info"), (other, False, "info")):
        if found:
            yield view.finding(
                "one_name_two_mixes", severity, np.concatenate(found), sorted(named[kind]), column=column,
                groups=len(found),
            )  # fmt: skip


def _differing(view: View, rows: IntArray) -> list[str]:
    """Columns that differ by more than 1 % within rows, or in text."""
    out = []
    for column in view.data.features.columns:
        if column == view.data.age:
            continue
        if column in view.numeric:
            x = view.numeric[column][rows]
            x = x[~np.isnan(x)]
            if len(x) and np.ptp(x) > 0.01 * np.max(np.abs(x)):
                out.append(str(column))
        elif view.data.features[column].iloc[rows].nunique() > 1:
            out.append(str(column))
    return out


def _nearly_equal(view: View, percent: float = 0.5) -> Iterator[Finding]:
    import pandas as pd

    first = np.array([rows[0] for rows in groups_of(view.composition)])
    columns = [c for c in view.numeric if c != view.data.age]
    if not columns or len(first) < 2 or len(first) > 4000:
        return
    table = view.data.features
    text = [c for c in table.columns if c not in view.numeric]
    code = signature(table[text]) if text else np.zeros(view.n, dtype=np.int64)
    x = pd.DataFrame({c: view.numeric[c] for c in columns}).to_numpy()[first]
    order = np.argsort(np.nan_to_num(x[:, 0]), kind="stable")
    pairs = []
    for place, i in enumerate(order):
        later = order[place + 1 :]
        a, b = x[i], x[later]
        same = np.abs(a - b) <= percent / 100 * np.maximum(np.abs(a), np.abs(b))
        near = np.all(same | (np.isnan(a) & np.isnan(b)), axis=1) & (code[first[i]] == code[first[later]])
        pairs += [(first[i], first[j]) for j in later[near]]
    if pairs:
        yield view.finding(
            "same_mix_two_names.nearly", "info", np.unique(np.array(pairs)), groups=len(pairs), percent=percent
        )


def typing_errors(view: View) -> Iterator[Finding]:
    """A result far from results of equal rows.

    Three or more equal rows: distance from the median of the n others, in units of the largest of 3 % of it, the robust
    scatter of all equal rows in the table, and the median absolute deviation of the others, times sqrt(1 + 1/n); above
    6 is reported, for which chance has no explanation even in large tables; above 5 where a slip of the pen explains
    it (one wrong digit of two does not: any two such numbers that share one differ so).
    Two equal rows: above 6 and a slip of the pen, since neither is known to be wrong.
    """
    for rows in groups_of(view.cell, 2):
        y = view.y[rows]
        if len(rows) == 2:
            scale = np.sqrt(2.0) * max(float(view.noise(y.max())), 0.05 * float(np.max(np.abs(y))), 1e-12)
            z, hint = abs(y[0] - y[1]) / scale, digit_hint(y[0], y[1])
            if z > 6.0 and hint:
                yield view.finding(
                    "typing_error.pair", "warn", rows, row=view.data.rows[rows[0]], other=view.data.rows[rows[1]],
                    value=f"{y[0]:g}", median=f"{y[1]:g}", z=f"{z:.0f}", hint=" " + hint,
                )  # fmt: skip
            continue
        for k, row in enumerate(rows):
            others = np.delete(y, k)
            median = float(np.median(others))
            own = 1.4826 * float(np.median(np.abs(others - median))) if len(others) > 2 else float(np.ptp(others))
            scale = max(float(view.noise(median)), 0.03 * abs(median), own, view.resolution, 1e-12)
            scale *= np.sqrt(1.0 + 1.0 / len(others))
            z = abs(y[k] - median) / scale
            within = min(max(0.05, 2.5 * scale / max(abs(median), 1e-12)), 0.2)
            hint = digit_hint(float(y[k]), median, within) if z > 5.0 else ""
            if z > 6.0 or hint:
                yield view.finding(
                    "typing_error", "severe", [row], row=view.data.rows[row], value=f"{y[k]:g}", others=len(others),
                    median=f"{median:g}", z=f"{z:.0f}", hint=f" {hint}" if hint else "",
                )  # fmt: skip


def digit_hint(value: float, likely: float, within: float = 0.05) -> str:
    """How a value may have come out of another by a slip of the pen: point shifted, digits exchanged, one replaced.

    Parameters
    ----------
    value, likely : float
    within : float
        Relative distance from what is likely that a corrected value may have.

    Returns
    -------
    str
        Empty where no slip explains it.
    """
    if value > 0 and likely > 0:
        for power in (-3, -2, -1, 1, 2, 3):
            if abs(value * 10.0**power / likely - 1.0) < within:
                return f"The decimal point may be shifted: {value * 10.0**power:g} would fit."
    a, b = f"{abs(value):.2f}", f"{abs(likely):.2f}"
    if len(a) == len(b):
        if sorted(a) == sorted(b) and a != b:
            return f"Digits may be exchanged: {likely:g} has the same ones."
        for i in range(len(a) - 1):
            swapped = a[:i] + a[i + 1] + a[i] + a[i + 2 :]
            if swapped.count(".") == 1 and swapped[i : i + 2] != a[i : i + 2] and "." not in a[i : i + 2]:
                near = float(swapped)
                if abs(near - abs(likely)) <= 0.03 * abs(likely):
                    return f"Digits may be exchanged: {near:g} would fit."
        differ = [i for i in range(len(a)) if a[i] != b[i]]
        if 0 < len(differ) <= 2 and a.split(".")[1] == b.split(".")[1] != "00":
            return f"The digits behind the point are those of {likely:g}: those before it may be mistyped."
        if len(differ) == 1 and min(len(f"{v:g}".replace(".", "").strip("0-")) for v in (value, likely)) > 2:
            return f"One digit differs from {likely:g}."
    return ""


def equal_in_two_sources(view: View) -> Iterator[Finding]:
    """Sources that report the same mixes with (nearly) the same results.

    For each pair of sources, the rows of composition and age that both have. Two results of standard deviation s (of
    equal rows in the table, at least 5 %) agree within 0.5 % by chance with probability 0.01 |y| / (2 sqrt(pi) s); of
    the comparisons made so many agree with binomial probability p, reported below 0.01.
    """
    source = view.data.source
    if source is None:
        return
    pairs: dict[tuple[int, int], list[IntArray]] = {}
    for rows in groups_of(view.cell, 2):
        for a, b in combinations(np.unique(source[rows]), 2):
            pairs.setdefault((int(a), int(b)), []).append(rows)
    for (a, b), cells in pairs.items():
        matches, chances, compared = [], [], 0
        for rows in cells:
            first, second = rows[source[rows] == a], rows[source[rows] == b]
            gap = np.abs(view.y[first][:, None] - view.y[second][None, :])
            level = float(np.mean(np.abs(view.y[rows])))
            sd = float(view.noise(level)) * np.sqrt(2.0)
            one = min(2 * 0.005 * level / (np.sqrt(2 * np.pi) * max(sd, 1e-12)), 1.0)
            chances.append(1.0 - (1.0 - one) ** gap.size)
            compared += 1
            i, j = np.unravel_index(int(np.argmin(gap)), gap.shape)
            if gap[i, j] <= 0.005 * level:
                matches.append((first[i], second[j]))
        p = at_least_of(len(matches), compared, float(np.mean(chances)))
        if p < 0.01:
            name = view.data.source_names
            yield view.finding(
                "equal_in_two_sources", "warn", np.unique(np.array(matches)), source=name[a], other=name[b],
                matches=len(matches), compared=compared, p=f"{p:.1g}",
                values=", ".join(f"{view.y[i]:g}/{view.y[j]:g}" for i, j in matches[:4]),
            )  # fmt: skip


def noise_floor(view: View) -> Iterator[Finding]:
    """Pooled standard deviation of results of equal rows, and the largest R2 that it leaves: 1 - s2 / variance.

    Exact copies count once. Where leaving out the rows that look mistyped changes it by a tenth, both are stated.
    """
    from_all = _pooled(view, frozenset())
    if from_all[1] >= 3:
        suspicious = frozenset(i for f in typing_errors(view) for i in f.at)
        sd, freedom, groups = from_all
        trimmed, _, _ = _pooled(view, suspicious)
        used = trimmed if suspicious else sd
        without = f" Without the rows that look mistyped: {trimmed:.3g} {view.data.unit}." if trimmed < 0.9 * sd else ""
        r2 = max(0.0, 1.0 - used**2 / max(float(np.var(view.y)), 1e-300))
        yield view.finding(
            "noise_floor", "info", (), sd=f"{sd:.3g}", freedom=freedom, groups=groups, r2=f"{r2:.3f}", without=without
        )
    sd_given, n = view.data.y_sd, view.data.y_n
    there = ~np.isnan(sd_given) & (n > 1)
    if there.any():
        pooled = float(np.sqrt(np.sum((n - 1)[there] * sd_given[there] ** 2) / np.sum((n - 1)[there])))
        mean_sd = float(np.sqrt(np.mean(pooled**2 / n[there])))
        yield view.finding(
            "specimen_scatter", "info", (), sd=f"{pooled:.3g}", mean_sd=f"{mean_sd:.3g}", n=int(there.sum())
        )


def _pooled(view: View, without: frozenset[int]) -> tuple[float, int, int]:
    total, freedom, groups = 0.0, 0, 0
    for rows in groups_of(view.cell, 2):
        y = np.unique(view.y[[r for r in rows if int(r) not in without]])
        if len(y) > 1:
            total += float(np.sum((y - y.mean()) ** 2))
            freedom += len(y) - 1
            groups += 1
    return (float(np.sqrt(total / freedom)) if freedom else float("nan")), freedom, groups


def few_groups(view: View) -> Iterator[Finding]:
    """Fewer than 10 mixes (severe below 5), fewer than 5 sources, or a source with more than half of the rows."""
    data = view.data
    if data.n_mixes < 10:
        yield view.finding("few_mixes", "severe" if data.n_mixes < 5 else "warn", (), mixes=data.n_mixes)
    if data.source is None:
        return
    if data.n_sources < 5:
        yield view.finding("few_sources", "info", (), sources=data.n_sources)
    counts = np.bincount(data.source)
    if data.n_sources > 1 and counts.max() > 0.5 * view.n:
        top = int(np.argmax(counts))
        share = f"{100 * counts[top] / view.n:.0f}"
        yield view.finding("one_source_dominates", "warn", (), source=data.source_names[top], share=share)


def leaking_splits(view: View, splits: Sequence[Split]) -> Iterator[Finding]:
    """Splits that test what they are fitted to: a mix, its composition under another name, its source."""
    found: dict[str, tuple[int, set[int]]] = {}
    labels = {"leak_mix": view.data.mix, "leak_copy": view.composition, "leak_source": view.data.source}
    for train, test in splits:
        mixed = np.isin(view.data.mix[test], view.data.mix[train])
        for key, label in labels.items():
            if label is None:
                continue
            hit = np.isin(label[test], label[train])
            if key == "leak_copy":
                hit &= ~mixed
            if hit.any():
                folds, rows = found.get(key, (0, set()))
                found[key] = (folds + 1, rows | {int(i) for i in np.asarray(test)[hit]})
    severity = {"leak_mix": "severe", "leak_copy": "severe", "leak_source": "info"}
    for key, (folds, rows) in found.items():
        yield view.finding(key, severity[key], sorted(rows), folds=folds, total=len(splits))


def _first(values: FloatArray) -> list[bool]:
    """Whether each value is the first of its kind."""
    seen: set[float] = set()
    out = []
    for v in values.tolist():
        out.append(v not in seen)
        seen.add(v)
    return out


def _chance(view: View, level: FloatArray) -> FloatArray:
    """Probability that two results at each level agree exactly, written in the steps of the table."""
    sd = np.maximum(view.noise(level, assumed=0.03, least=10), 1e-12)
    return np.asarray(np.minimum(1.0, view.resolution / (2.0 * np.sqrt(np.pi) * sd)), dtype=np.float64)

"""Checks of columns: sums that cannot be, units off by powers of ten, and columns that say nothing or say the same."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

import numpy as np

from .audit_view import Finding, View
from .columns import split_unit
from .design import FloatArray

#: Largest mass of a cubic metre of fresh concrete or mortar of ordinary aggregate [kg/m3].
MOST_MASS = 2800.0
_TOTALS = ("total", "sum", "binder", "cementitious", "胶凝材料", "总")
_NOT_MASSES = ("co2", "gwp", "density", "cost", "strength", "密度", "容重")
_BINDER_PARTS = (
    "cement", "clinker", "opc", "fly_ash", "ash", "slag", "ggbs", "ggbfs", "silica_fume", "metakaolin", "limestone",
    "pozzolan", "clay", "scm", "水泥", "粉煤灰", "矿渣", "矿粉", "硅灰", "偏高岭土", "石灰石粉", "赤泥", "钢渣",
)  # fmt: skip
_ALTERNATIVE_WATER = ("water", "水")
#: Usual ranges by words of the name, in a unit: what lies outside is looked at twice (evidence: memory).
USUAL: tuple[tuple[tuple[str, ...], str, float, float], ...] = (
    (("d10", "d50", "d90", "中位径", "粒径"), "um", 0.05, 2000.0),
    (("blaine", "fineness", "比表面积", "细度"), "m2/kg", 100.0, 5000.0),
    (("specific_gravity", "_sg", "比重"), "", 0.5, 8.0),
    (("w_b", "w_c", "water_binder", "wbr", "水胶比", "水灰比"), "", 0.08, 2.0),
    (("strength", "强度"), "MPa", 0.05, 300.0),
    (("temperature", "温度"), "degC", -60.0, 1800.0),
)
_OXIDE = re.compile(
    r"(?:^|_)(SiO2|Al2O3|Fe2O3|FeO|CaO|MgO|Na2O|K2O|SO3|TiO2|P2O5|MnO|Mn2O3|SrO|BaO|Cr2O3|V2O5|LOI|Cl)(?:_|$)",
    re.IGNORECASE,
)
_LIKELY = {
    "um": (("mm", 1e3), ("nm", 1e-3)),
    "m2/kg": (("m2/g", 1e3), ("cm2/g", 0.1)),
    "MPa": (("kPa", 1e-3), ("GPa", 1e3)),
}


def mass_closure(view: View) -> Iterator[Finding]:
    """Quantities that add up to more than 2800 kg/m3, beyond any ordinary concrete."""
    masses = _masses(view)
    parts = [c for c in masses if _is_part(c)]
    columns = [c for c in masses if not _has(c, _TOTALS) or (_has(c, ("binder", "胶凝材料")) and not parts)]
    waters = [c for c in columns if split_unit(c)[0].startswith(_ALTERNATIVE_WATER)]
    columns = [c for c in columns if c not in waters[1:]]
    if len(columns) < 3:
        return
    total = np.sum([np.nan_to_num(view.numeric[c]) for c in columns], axis=0)
    over = np.flatnonzero(total > MOST_MASS)
    if len(over):
        yield view.finding(
            "mass_closure", "warn", over, columns, limit=f"{MOST_MASS:g}", worst=f"{total.max():.0f}"
        )  # fmt: skip


def binder_sum(view: View) -> Iterator[Finding]:
    """A binder that is not the sum of its parts (3 %), and shares of a binder that do not add up to 100 %.

    An error where it holds in at least 60 % of the rows and fails in the others, since then it is meant to hold.
    """
    masses = _masses(view)
    parts = [c for c in masses if _is_part(c) and not _has(c, _TOTALS)]
    for whole in [c for c in masses if _has(c, ("binder", "cementitious", "胶凝材料"))]:
        if not parts:
            continue
        total = np.sum([np.nan_to_num(view.numeric[c]) for c in parts], axis=0)
        off = np.abs(view.numeric[whole] - total) > 0.03 * np.abs(view.numeric[whole])
        bad = np.flatnonzero(off)
        if not len(bad):
            continue
        if off.mean() <= 0.4:
            example = f"{view.data.rows[bad[0]]}: {view.numeric[whole][bad[0]]:g} and {total[bad[0]]:g} kg/m3"
            yield view.finding("binder_sum", "warn", bad, parts, whole=whole, example=example)
        elif off.mean() < 0.95:
            share = f"{100 * (1 - off.mean()):.0f}"
            yield view.finding("binder_sum.other", "info", (), parts, whole=whole, share=share)
    shares = [c for c in view.numeric if _unit(view, c) == "%" and _is_part(c) and not _OXIDE.search(c)]
    if len(shares) >= 2:
        total = np.sum([np.nan_to_num(view.numeric[c]) for c in shares], axis=0)
        off = np.abs(total - 100.0) > 1.0
        bad = np.flatnonzero(off)
        if len(bad) and off.mean() <= 0.4:
            example = f"{view.data.rows[bad[0]]}: {total[bad[0]]:g} %"
            yield view.finding("percent_sum", "warn", bad, shares, example=example)


def oxide_sums(view: View) -> Iterator[Finding]:
    """Oxide analyses that add up to more than 105 %, or to less than 95 % though loss on ignition is among them.

    Where loss on ignition is not given, below 95 % is for information only, and below 80 % a warning. An analysis is a
    set of columns that differ in the oxide only; without SiO2 or with fewer than four oxides it is not added up.
    """
    sets: dict[str, dict[str, str]] = {}
    for column in view.numeric:
        found = _OXIDE.search(column)
        if found and _unit(view, column) in ("%", ""):
            rest = column[: found.start()] + "*" + column[found.end() :]
            sets.setdefault(rest, {})[found.group(1).lower()] = column
    for columns in sets.values():
        if len(columns) < 4 or "sio2" not in columns:
            continue
        values = np.column_stack([view.numeric[c] for c in columns.values()])
        there = ~np.isnan(view.numeric[columns["sio2"]])
        total = np.nansum(values, axis=1)
        high = np.flatnonzero(there & (total > 105.0))
        if len(high):
            example = ", ".join(f"{view.data.rows[i]}: {total[i]:.1f} %" for i in high[:3])
            yield view.finding("oxide_sum", "warn", high, list(columns.values()), example=example)
        loi = ~np.isnan(view.numeric[columns["loi"]]) if "loi" in columns else np.zeros(view.n, dtype=bool)
        low = np.flatnonzero(there & (total < 95.0))
        if len(low):
            severe = bool(np.any(loi[low])) or bool(np.any(total[low] < 80.0))
            example = ", ".join(f"{view.data.rows[i]}: {total[i]:.1f} %" for i in low[:3])
            columns_ = list(columns.values())
            yield view.finding("oxide_sum.low", "warn" if severe else "info", low, columns_, example=example)


def units(view: View) -> Iterator[Finding]:
    """Values a power of ten off: half of a column outside the usual range and nine tenths inside in another unit.

    Single values outside the usual range are listed for information, with a hint where a shifted point explains it.
    """
    for column, x in view.numeric.items():
        said = _unit(view, column)
        stem = split_unit(column)[0].lower()
        usual = next((u for u in USUAL if any(w in stem or stem.endswith(w) for w in u[0])), None)
        there = x[~np.isnan(x)]
        if usual is None or not len(there):
            continue
        low, high = _usual_in(usual, said)
        if np.isnan(low):
            continue
        outside = (there < low) | (there > high)
        if outside.mean() >= 0.5:
            likely = _likely(usual, there)
            if likely and likely != said:
                yield view.finding(
                    "unit", "warn", (), (column,), column=column, likely=likely, said=said or "a ratio", low=f"{low:g}",
                    high=f"{high:g}", share=f"{100 * outside.mean():.0f}",
                )  # fmt: skip
                continue
        bad = np.flatnonzero((x < low) | (x > high))
        if len(bad):
            i = int(bad[0])
            ratio = float(np.log10(abs(x[i]) / abs(np.median(there)))) if x[i] and np.median(there) else 0.0
            shifted = abs(ratio) > 0.7 and abs(ratio - round(ratio)) < 0.1
            hint = f" The point may be shifted: the middle of the column is {np.median(there):g}." if shifted else ""
            yield view.finding(
                "implausible_value", "info", bad, (column,), column=column,
                example=f"{view.data.rows[i]}: {x[i]:g} {said}", low=f"{low:g}", high=f"{high:g}", said=said, hint=hint,
            )  # fmt: skip


def negative_quantities(view: View) -> Iterator[Finding]:
    """Masses, shares and sizes below 0."""
    for column, x in view.numeric.items():
        if _unit(view, column) in ("kg/m3", "kg/t", "%", "m2/kg", "m2/g", "um", "mm") and not _has(
            column, ("co2", "gwp")
        ):
            bad = np.flatnonzero(x < 0)
            if len(bad):
                value = f"{np.nanmin(x):g}"
                yield view.finding("negative_quantity", "severe", bad, (column,), column=column, value=value)


def silent_columns(view: View) -> Iterator[Finding]:
    """Columns without a value, with one value only, and with empty cells."""
    table = view.data.features
    empty, constant, holes, missing = [], [], [], 0
    for column in map(str, table.columns):
        if column in view.numeric:
            there = ~np.isnan(view.numeric[column])
            different = len(np.unique(view.numeric[column][there]))
        else:
            text = table[column].to_numpy(dtype=str)
            there = text != ""
            different = len(np.unique(text[there]))
        if not there.any():
            empty.append(column)
        elif different == 1 and there.all() and view.n > 1:
            constant.append(column)
        elif not there.all():
            holes.append(column)
            missing += int((~there).sum())
    if empty:
        yield view.finding("empty_column", "warn", (), empty)
    if constant:
        yield view.finding("constant_column", "info", (), constant)
    if holes:
        yield view.finding("missing_values", "info", (), holes, share=f"{100 * missing / (len(holes) * view.n):.0f}")


def collinear(view: View) -> Iterator[Finding]:
    """Columns that cannot be told apart.

    Either each value of one goes with one value of the other (few-levelled columns, e.g. the analyses of three blends),
    or their correlation exceeds 0.9995. Beyond pairs: the rank of the standardised columns (singular values below
    1e-6 of the largest).
    """
    columns = {c: x for c, x in view.numeric.items() if c != view.data.age and not np.isnan(x).any() and np.ptp(x) > 0}
    if len(columns) < 2 or view.n < 8:
        return
    names = list(columns)
    z = np.column_stack([(x - x.mean()) / x.std() for x in columns.values()])
    codes = [np.unique(x, return_inverse=True)[1] for x in columns.values()]
    levels = [int(c.max()) + 1 for c in codes]
    r = np.abs(z.T @ z) / view.n
    left = set(range(len(names)))
    grouped: set[int] = set()
    for i in range(len(names)):
        if i not in left:
            continue
        same = [i]
        for j in sorted(left - {i}):
            one_to_one = (
                levels[i] == levels[j] and 2 < levels[i] <= max(6, view.n // 10)
                and len(np.unique(codes[i] * levels[j] + codes[j])) == levels[i]
            )  # fmt: skip
            if one_to_one or r[i, j] > 0.9995:
                same.append(j)
        left -= set(same)
        if len(same) > 1:
            grouped |= set(same[1:])
            yield view.finding("collinear", "info", (), [names[k] for k in same], levels=levels[i])
    rest = [k for k in range(len(names)) if k not in grouped]
    if len(rest) > 2 and view.n > len(rest):
        _, s, v = np.linalg.svd(z[:, rest], full_matrices=False)
        rank = int(np.sum(s > 1e-6 * s[0]))
        if rank < len(rest):
            involved = [names[rest[k]] for k in np.flatnonzero(np.abs(v[-1]) > 0.05)]
            yield view.finding("linear_dependence", "info", (), involved, rank=rank, total=len(rest))


def id_columns(view: View) -> Iterator[Finding]:
    """Whole numbers, all different, that follow the order of the rows (rank correlation 0.999)."""
    for column, x in view.numeric.items():
        if column == view.data.age or view.n < 8 or np.isnan(x).any() or np.any(x != np.round(x)):
            continue
        if len(np.unique(x)) < view.n or split_unit(column)[1]:
            continue
        rank = np.argsort(np.argsort(x)).astype(np.float64)
        rho = abs(float(np.corrcoef(rank, np.arange(view.n))[0, 1]))
        if rho > 0.999:
            how = "counts up" if len(np.unique(np.diff(x))) == 1 else "follows the order of the rows"
            yield view.finding("id_column", "warn", (), (column,), column=column, how=how)


def _masses(view: View) -> list[str]:
    return [c for c in view.numeric if _unit(view, c) == "kg/m3" and not _has(c, _NOT_MASSES)]


def _unit(view: View, column: str) -> str:
    return view.data.units.get(column) or split_unit(column)[1]


def _has(column: str, words: Sequence[str]) -> bool:
    return any(w in column.lower() for w in words)


def _is_part(column: str) -> bool:
    """Whether a column is a part of the binder (not the aggregate, nor water)."""
    stem = split_unit(column)[0].lower()
    return _has(stem, _BINDER_PARTS) and not _has(stem, ("aggregate", "water", "骨料", "集料", "binder", "总"))


def _usual_in(usual: tuple[tuple[str, ...], str, float, float], said: str) -> tuple[float, float]:
    """The usual range in the unit said; NaN where it is another kind of quantity."""
    from ..errors import UnitError
    from ..units import parse

    _, unit, low, high = usual
    if unit == said:
        return low, high
    if not unit or not said:
        return float("nan"), float("nan")
    try:
        return parse(f"{low} {unit}", said, what="range"), parse(f"{high} {unit}", said, what="range")
    except UnitError:
        return float("nan"), float("nan")


def _likely(usual: tuple[tuple[str, ...], str, float, float], values: FloatArray) -> str:
    """The unit in which nine tenths of the values are usual; empty if there is none."""
    _, unit, low, high = usual
    for name, factor in ((unit, 1.0), *_LIKELY.get(unit, (("%", 0.01),) if not unit else ())):
        if np.mean((values * factor >= low) & (values * factor <= high)) >= 0.9:
            return str(name)
    return ""

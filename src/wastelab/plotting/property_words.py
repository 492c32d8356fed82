"""Words, colours and axes that the figures of property models share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from ..i18n import DEFAULT
from ..models.columns import split_unit
from .style import PALETTE, drawn, pick

if TYPE_CHECKING:
    import pandas as pd

_WORDS: dict[str, dict[str, str]] = {
    "measured": {"en": "measured", "zh": "实测"},
    "predicted": {"en": "predicted", "zh": "预测"},
    "residual": {"en": "measured - predicted", "zh": "实测 − 预测"},
    "interval": {"en": "{level} % interval", "zh": "{level} % 区间"},
    "effect": {"en": "{level} % interval of the mean effect", "zh": "平均效应的 {level} % 区间"},
    "single": {"en": "single mixes", "zh": "单个配比"},
    "mean": {"en": "mean", "zh": "平均"},
    "test_band": {"en": "interval of one test", "zh": "单次试验区间"},
    "age": {"en": "age (d)", "zh": "龄期 (d)"},
    "normal": {"en": "normal quantile", "zh": "正态分位数"},
    "standardised": {"en": "standardised residual", "zh": "标准化残差"},
    "source": {"en": "mean residual of a source", "zh": "各来源平均残差"},
    "spread": {"en": "|residual|", "zh": "|残差|"},
    "running": {"en": "running mean", "zh": "滑动平均"},
    "rise": {"en": "rise of {score} when shuffled ({unit})", "zh": "打乱后 {score} 的增量 ({unit})"},
    "alone": {"en": "alone, though it cannot change alone", "zh": "单独打乱(实际上不能单独变化)"},
    "contribution": {"en": "contribution to the prediction ({unit})", "zh": "对预测值的贡献 ({unit})"},
    "low": {"en": "low", "zh": "低"},
    "high": {"en": "high", "zh": "高"},
    "value": {"en": "value of the column", "zh": "该列数值"},
    "outside": {"en": "outside the domain", "zh": "适用域之外"},
    "at_cost": {"en": "{column}, replacing {other}", "zh": "{column}(取代 {other})"},
    "mixes": {"en": "mixes fitted to", "zh": "拟合所用配比数"},
    "sources": {"en": "sources fitted to", "zh": "拟合所用来源数"},
    "trivial": {"en": "predicting the mean", "zh": "预测平均值"},
    "noise": {"en": "scatter of repeated tests", "zh": "重复试验离散"},
    "model": {"en": "model", "zh": "模型"},
    "coverage": {"en": "share of tests inside the interval", "zh": "落入区间的试验比例"},
    "asked": {"en": "asked for", "zh": "目标"},
    "tests": {"en": "tests", "zh": "试验"},
    "row": {"en": "random rows (flatters)", "zh": "随机行(偏乐观)"},
    "mix": {"en": "new mixes", "zh": "新配比"},
    "by_source": {"en": "new sources", "zh": "新来源"},
    "time": {"en": "later in time", "zh": "之后的试验"},
}  # fmt: skip
PROTOCOLS = {"row": "row", "mix": "mix", "source": "by_source", "time": "time"}
BLUE, ORANGE, GREEN, RED, GREY = PALETTE[0], PALETTE[1], PALETTE[2], PALETTE[3], PALETTE[7]


def word(key: str, lang: str, **values: object) -> str:
    """A word of a figure in a language."""
    text = _WORDS[key].get(lang, _WORDS[key][DEFAULT])
    return text.format(**values) if values else text


def language(lang: str) -> str:
    """The language if its words can be drawn, else English."""
    return drawn(lang, word("measured", lang))


def needs(table: pd.DataFrame, columns: Sequence[str], what: str) -> None:
    """Refuse a table without rows or without a column."""
    missing = [c for c in columns if c not in table.columns]
    if missing or not len(table):
        said = f"has no column '{missing[0]}'" if missing else "is empty"
        raise ModelError(f"The table of {what} {said}; expected rows with the columns {', '.join(columns)}.")


def axis_name(column: str, units: Mapping[str, str]) -> str:
    """A column as a person reads it, with its unit."""
    stem, unit = split_unit(column)
    unit = units.get(column, unit)
    said = pick(stem.replace("_", " "), "?")
    return f"{said} ({unit})" if unit else said


def short_name(name: str) -> str:
    """Names of columns without units, joined over lines where there are many."""
    parts = [axis_name(p, {p: ""}) for p in name.split(" + ")]
    lines = [" + ".join(parts[i : i + 3]) for i in range(0, len(parts), 3)]
    return " +\n".join(lines)


def age_axis(ax: Any, ages: Any) -> None:
    """A logarithmic axis with the usual ages of testing."""
    ax.set_xscale("log")
    usual = [t for t in (0.25, 1, 3, 7, 14, 28, 56, 90, 180, 365, 730) if ages.min() * 0.99 <= t <= ages.max() * 1.01]
    if len(usual) > 1:
        ax.set_xticks(usual, [f"{t:g}" for t in usual])
        ax.minorticks_off()


def number_axis(ax: Any, sizes: Any) -> None:
    """A logarithmic axis with the numbers themselves."""
    ax.set_xscale("log")
    ax.set_xticks(sizes, [f"{s:.0f}" for s in sizes])
    ax.minorticks_off()

"""Results of tests by the names of their columns: which columns are results, in which units they can be.

A result of the same specimens is not known before a mix is made, so it is no feature of a mix unless asked for. What
is said of a raw material, and what is planned (a strength class), is an input and no result.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from functools import cache

import numpy as np

from ..errors import ModelError, UnitError
from ..units import parse
from .columns import split_unit
from .design import FloatArray
from .words import is_stress, never_negative

#: Words of results of tests of a mix.
_RESULTS = (
    "strengths?", "slump flow", "slump", "flow spread", "flow table", "flowability", "fluidity", "setting times?",
    "initial set", "final set", "water absorption", "absorption", "drying shrinkage", "autogenous shrinkage",
    "shrinkage", "expansion", "carbonation depth", "elastic modulus", "modulus of elasticity", "youngs modulus",
    "modulus of rupture", "chloride permeability", "charge passed", "rcpt", "ultrasonic pulse velocity", "upv",
    "mass loss", "ucs", "fcu", "fck", "fcm", "fc", "mor",
    "抗压强度", "抗折强度", "抗拉强度", "劈裂抗拉强度", "劈拉强度", "抗弯强度", "抗剪强度", "强度", "坍落扩展度",
    "扩展度", "坍落度", "流动度", "初凝时间", "终凝时间", "凝结时间", "吸水率", "干燥收缩", "收缩率", "收缩值",
    "初凝", "终凝", "膨胀率", "碳化深度", "弹性模量", "弹模", "软化系数", "电通量", "抗渗等级",
)  # fmt: skip
#: What only says of which kind, age, specimen or statistic a result is.
_QUALIFIERS = (
    "compressive", "compression", "comp", "flexural", "flexure", "bending", "tensile", "tension", "splitting", "split",
    "shear", "bond", "unconfined", "uniaxial", "cube", "cubic", "cylinder", "cylindrical", "prism", "characteristic",
    "mean", "average", "avg", "median", "std", "sd", "cov", "cv", "stdev", "deviation", "standard", "min", "max",
    "error",
    "early", "late", "initial", "final", "fresh", "hardened", "dry", "wet", "water", "the", "of", "at", "in", "after",
    "test", "tested", "result", "results", "value", "measured", "concrete", "mortar", "paste", "specimen", "sample",
    "brick", "block", "grout", "geopolymer", "aac", "day", "days", "d", "h", "hours", "age", "mpa", "no", "nr",
    "平均值", "平均", "标准差", "变异系数", "混凝土", "砂浆", "净浆", "胶砂", "试件", "试块", "立方体", "轴心",
    "棱柱体", "圆柱体", "无侧限", "单轴", "抗压", "抗折", "抗拉", "劈裂", "早期", "后期", "初始", "实测", "测试",
    "试验", "检测", "结果", "值", "的", "天", "日", "龄期", "单块", "砖", "砌块", "制品", "地聚物", "干", "湿",
)  # fmt: skip
#: A strength in a unit of stress is a result unless it is one of a raw material or a plan; so are R28, fc and fcu.
_STRENGTH = re.compile(r"(?<![a-z])strengths?(?![a-z])|强度")
_SYMBOL = re.compile(r"^(r|rc|rf|f|f ?cu?|fcm|f ?ct|f ?t) ?(\d{1,3})?( d)?$")
#: Words of raw materials and plans: beside them a strength is an input ...
_INPUTS = re.compile(
    r"(?<![a-z])(cement|clinker|aggregates?|sand|gravel|slag|ash|pozzolan|class|grade|nominal|design|designed|required|"
    r"specified|target|rca|fib(?:er|re)s?|steel|rocks?|stones?)(?![a-z])|水泥|纤维|钢|岩|熟料|骨料|集料|砂(?!浆)|石|矿渣|矿粉|粉煤灰|等级|标号|设计|要求|目标|配制|标准值"
)
#: ... unless the product that was made of them is named too.
_PRODUCTS = re.compile(
    r"(?<![a-z])(concrete|mortar|paste|brick|block|specimen|cube)s?(?![a-z])|混凝土|砂浆|胶砂|净浆|试件|试块|砖|砌块"
)
#: Kinds of properties by a word in their name, what they are measured in, and examples.
_KINDS: tuple[tuple[str, tuple[str, ...], str], ...] = (
    (r"compressive strength|flexural strength|tensile strength|bending strength|(?<![a-z])ucs(?![a-z])|抗压强度"
     r"|抗折强度|抗拉强度|劈拉强度|抗弯强度|elastic modulus|modulus of (elasticity|rupture)|弹性模量|^strength|^强度",
     ("MPa", "%"), "MPa, psi or kgf/cm2"),
    (r"slump|flow diameter|flow spread|坍落度|扩展度", ("mm", "%", "s"), "mm"),
    (r"setting time|凝结时间|初凝时间|终凝时间", ("min",), "min or h"),
    (r"water absorption|吸水率", ("%", "kg/kg", "kg/m3", "kg/m2"), "%"),
)  # fmt: skip
#: Properties by their English and Chinese name.
_TRANSLATED = (
    ("compressive_strength", "抗压强度"), ("flexural_strength", "抗折强度"), ("tensile_strength", "抗拉强度"),
    ("splitting_tensile_strength", "劈裂抗拉强度"), ("strength", "强度"), ("slump", "坍落度"), ("flow", "流动度"),
    ("setting_time", "凝结时间"), ("initial_setting_time", "初凝时间"), ("final_setting_time", "终凝时间"),
    ("water_absorption", "吸水率"), ("elastic_modulus", "弹性模量"),
)  # fmt: skip
#: Beside these words a name is of a change or a share, in whatever unit.
_OF_A_KIND = re.compile(
    r"(?<![a-z])(loss|ratio|index|relative|rate|change|difference|gain|class|grade|activity|cost|price|per|coefficient)"
    r"(?![a-z])|损失|比|指数|变化|差|等级|单价|系数"
)


def is_result(column: str) -> bool:
    """Whether the name of a column says that it is a result of tests of a mix.

    Parameters
    ----------
    column : str
        Heading, with or without its unit.

    Returns
    -------
    bool
        False for inputs: ``cement_strength_class``, ``水泥28d抗压强度``, ``aggregate_water_absorption_pct``.
    """
    stem, unit = split_unit(column)
    words = _words(stem)
    text, found = _PATTERN.subn(" ", words)
    stress = is_stress(unit)
    if not found and not stress:
        return False
    if stress and (_SYMBOL.match(words) or (_STRENGTH.search(words) and not is_input(column))):
        return True
    return not re.search(r"[^\W\d_]", _REST.sub(" ", text))


def is_input(column: str) -> bool:
    """Whether the name of a column is of a raw material or a plan: ``cement_strength_MPa``, ``强度等级``."""
    text = _words(split_unit(column)[0])
    return bool(_INPUTS.search(text)) and not _PRODUCTS.search(text)


def same_property(name: str, column: str) -> bool:
    """Whether a Chinese and an English name are of one property: ``compressive_strength``, ``抗压强度(MPa)``."""
    pair = {_words(split_unit(n)[0]) for n in (name, column)}
    return any(pair == {_words(english), chinese} for english, chinese in _TRANSLATED)


def check_unit(name: str, unit: str, column: str) -> None:
    """Refuse a unit that a property of this name cannot be in.

    Raises
    ------
    UnitError
        For example of a strength in kg/m3.
    """
    wanted, example = _kind(name)
    if not unit or not wanted:
        return
    for other in wanted:
        try:
            parse(f"1 {unit}", other, what=column)
        except UnitError:
            continue
        return
    raise UnitError(
        f"column '{column}' is in {unit}, but '{name}' is measured in {example}. Correct the unit in the heading, or "
        f"rename the column if it is something else."
    )


def check_results(values: FloatArray, name: str, column: str, labels: Sequence[str]) -> None:
    """Refuse results below zero of a property that cannot be, as its name says.

    Raises
    ------
    ModelError
        Names the row.
    """
    below = np.flatnonzero(values < 0)
    if len(below) and never_negative(name) and not _OF_A_KIND.search(_words(name)):
        more = f" ({len(below)} rows are below 0)" if len(below) > 1 else ""
        raise ModelError(
            f"{labels[below[0]]}, column '{column}': {values[below[0]]:g}; '{name}' cannot be below 0{more}. Correct "
            f"the cell, or leave it empty."
        )


def has_known_units(name: str) -> bool:
    """Whether a property of this name is known to be measured in some unit."""
    return bool(_kind(name)[0])


@cache
def _kind(name: str) -> tuple[tuple[str, ...], str]:
    text = _words(name)
    if _OF_A_KIND.search(text):
        return (), ""
    return next(((units, example) for words, units, example in _KINDS if re.search(words, text)), ((), ""))


def _words(name: str) -> str:
    """A name in lower case, its words apart: ``"7d 抗压强度"``, ``"strength 28 d"``."""
    text = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", unicodedata.normalize("NFKC", name).replace("'", ""))
    text = re.sub(r"[\W_]+", " ", text.lower())
    return re.sub(r"(?<=[^\W\d])(?=\d)|(?<=\d)(?=[^\W\d])", " ", text).strip()


def _alternation(words: Sequence[str]) -> re.Pattern[str]:
    ordered = sorted(words, key=len, reverse=True)
    latin = "|".join(w for w in ordered if w.isascii())
    return re.compile(rf"(?<![a-z])(?:{latin})(?![a-z])|{'|'.join(w for w in ordered if not w.isascii())}")


_PATTERN = _alternation(_RESULTS)
_REST = _alternation(_QUALIFIERS)

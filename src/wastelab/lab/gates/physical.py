"""Known mistakes by waste class and quantity: what `chemistry.plausibility` and `chemistry.mineral_balance` find.

Values of other techniques on the same sample (of the same file, else the newest stored) are looked at where a check
needs them: total CaO beside free lime, oxides beside phases, K2O beside K-40.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...chemistry import plausibility
from ...chemistry.mineral_balance import check_phases
from ..drafts import Context, Draft, Finding, Gate
from .facts import facts, numbers

#: Judged by `composition` and `schema`, with more knowledge of the file.
_ELSEWHERE = frozenset(
    {"negative", "oxide_sum_high", "oxide_sum_low", "oxide_sum_no_loss", "fractions", "ppm", "ignited"}
)
_BESIDE = {"free_lime": "CaO", "radionuclides": "K2O"}
_REMEDIES = {
    "unit_scale": "gate.remedy_unit",
    "particle_size": "gate.remedy_unit",
    "density": "gate.remedy_unit",
    "swapped_columns": "gate.remedy_columns",
    "shifted_column": "gate.remedy_columns",
    "mix_shares": "gate.remedy_mix",
    "size_order": "gate.remedy_columns",
    "setting_order": "gate.remedy_columns",
    "strength_order": "gate.remedy_columns",
    "phase_oxide": "gate.remedy_phases",
    "phase_sum": "gate.remedy_phases",
}


def check(draft: Draft, context: Context) -> Iterator[Finding]:
    """Plausibility of one draft, with the class of its sample."""
    if not draft.values:
        return
    values = numbers(draft)
    if not values:
        return
    code = draft.record["technique"]
    beside = _BESIDE.get(code)
    if beside is not None and beside not in values:
        known = facts(context).analysis(draft, "XRF")
        if beside in known:
            values[beside] = known[beside]
    found = plausibility.check_values(values, draft.waste_class, draft.subtype)
    if code == "QPA":
        found = [*found, *_phases(draft, context, values)]
    for f in found:
        if f.key in _ELSEWHERE:
            continue
        yield draft.finding(
            f.gate, "refuse" if f.severity == "error" else "warn", f"plausibility.{f.key}",
            _REMEDIES.get(f.gate, "gate.remedy_check"), quantity=f.quantity, where="", **f.values,
        )  # fmt: skip


def _phases(draft: Draft, context: Context, values: dict[str, float]) -> list[plausibility.Finding]:
    phases = {k.removeprefix("phase:"): x for k, x in values.items() if k.startswith("phase:")}
    if "glass" in values:
        phases.setdefault("glass", values["glass"])
    known = facts(context)
    oxides = known.analysis(draft, "XRF")
    if known.analysis_basis(draft, "XRF") == "ignited":
        oxides = {}
    return check_phases(phases, oxides, draft.waste_class)


_NAMES = (
    ("swapped_columns", "Two main oxides swapped (SiO2 with Al2O3 or CaO)", "主要氧化物两列互换(SiO2 与 Al2O3 或 CaO)"),
    ("shifted_column", "A value that slipped into the neighbouring column", "数值错入相邻列"),
    ("mix_shares", "Shares of a mix typed into oxide columns", "配比填入了氧化物列"),
    ("particle_size", "Particle size of a powder in the wrong unit", "粉体粒径单位错误"),
    ("size_order", "d10 <= d50 <= d90 broken", "d10、d50、d90 次序颠倒"),
    ("density", "Density outside what the waste class can have", "密度超出该类固废的可能范围"),
    ("setting_order", "Initial setting after final setting", "初凝时间晚于终凝时间"),
    ("strength_order", "Flexural above compressive strength", "抗折强度高于抗压强度"),
    ("free_lime", "Free lime above all lime, or unsound", "游离氧化钙高于总钙或安定性不良"),
    ("gypsum_ratio", "CaO/SO3 of a gypsum far from calcium sulfate", "石膏 CaO/SO3 偏离硫酸钙"),
    ("ash_class", "Ash called class F with the lime of class C", "标为 F 类而钙含量属 C 类的粉煤灰"),
    ("ash_loss", "Fly ash with too much loss on ignition", "粉煤灰烧失量过高"),
    ("ash_lime", "Fly ash with more lime than an ash has", "粉煤灰氧化钙过高"),
    ("gangue_loss", "Coal gangue with less loss than its kaolinite", "煤矸石烧失量低于其高岭石失水"),
    ("negative_loss", "Gain on ignition in a waste that cannot gain", "不可能增重的固废烧失量为负"),
    ("radionuclide_index", "I_Ra, I_gamma differ from Ra, Th, K", "内外照射指数与核素比活度不符"),
    ("potassium", "K-40 does not fit K2O", "钾-40 与 K2O 不符"),
    ("phase_sum", "Sum of the phases impossible, or no amorphous share", "物相合计不可能或缺少非晶相"),
    ("phase_oxide", "Phases that the oxides of the sample cannot hold", "物相所需氧化物超过化学成分"),
)
GATES = tuple(Gate(name, check, True, title, zh) for name, title, zh in _NAMES)

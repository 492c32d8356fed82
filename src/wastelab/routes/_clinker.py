"""What clinker routes share: phases from equilibrium at the burning temperature, beside the closed formulas."""

from __future__ import annotations

from collections.abc import Mapping

from ..chemistry.criterion import Criterion
from ..provenance import Evidence, Source
from ..simulate.atmosphere import ATMOSPHERES
from .base import EQUILIBRIUM, Assemblage, ProcessVariable

_GAS = ATMOSPHERES["rotary_kiln"]
_EQUILIBRIUM = Source(
    "Gibbs energy minimum over pure phases and solid solutions at the burning temperature in the kiln gas; data and "
    "adjustments in the thermochemical set",
    Evidence.SECONDARY,
)
ASSUMPTIONS = (
    "equilibrium at the burning temperature, kept on cooling: complete reaction, no melt data above 1600 K",
    "wt% of the solid product; what has no data (P2O5, MnO, Cr2O3 ...) or is not in the analysis counts as inert mass",
    "solid solutions as 65 compositions each: mostly within 1 wt% of the continuous solution",
)


def phase(symbol: str, name: str, name_zh: str) -> Criterion:
    """Share of a mineral in the product at equilibrium [wt%]."""
    return Criterion(
        symbol, name, "wt%", {f"{EQUILIBRIUM}{symbol}": 1.0}, {f"{EQUILIBRIUM}mass": 1.0}, _EQUILIBRIUM, 100.0,
        "ignited", name_zh, (), ASSUMPTIONS,
    )  # fmt: skip


def variables(low: float, high: float) -> tuple[ProcessVariable, ...]:
    """Burning temperature and the gas that decides what survives it."""
    return (
        ProcessVariable(
            "temperature", "degC", "burning temperature: phases then come from equilibrium",
            "烧成温度(给出后矿物由平衡计算)", low, high, optional=True,
        ),
        ProcessVariable(
            "pSO2", "bar", "partial pressure of SO2 in the kiln gas", "窑气 SO2 分压", 1e-9, 1.0, _GAS.p("SO2"),
            _GAS.source, needs="temperature",
        ),
        ProcessVariable(
            "pO2", "bar", "partial pressure of O2 in the kiln gas", "窑气 O2 分压", 1e-12, 1.0, _GAS.p("O2"),
            _GAS.source, needs="temperature",
        ),
    )  # fmt: skip


#: Requirements on phases must also hold this far above and below the burning temperature.
TOLERANCE = ProcessVariable(
    "temperature_tolerance", "K", "every requirement must also hold this much hotter and colder",
    "烧成温度允许波动(各项要求在 ±该值内均须满足)", 0.0, 100.0, 0.0,
)  # fmt: skip

STATEMENTS = (
    "Phases are those of EQUILIBRIUM at the burning temperature in the stated gas: what an infinite time would give, "
    "with no melt and no rates. Closed-form phases (potential_...) stand beside them as a cross-check; where the two "
    "differ much, trust neither without a trial burn.",
    "Everything limited in the clinker is per mass of solid product: loss on ignition and the SO3 that leaves at "
    "equilibrium (SO3_loss) are gone, alkalis and metals stay unless the recipe says they volatilise.",
    "Fuel ash is not counted.",
    "Limits of the product are judged on the clinker itself; gypsum and aggregate dilute it further in use.",
)
STATEMENTS_ZH = (
    "矿物为给定气氛与烧成温度下的平衡矿物:相当于无限长时间的结果,不含液相与速率。闭式潜在矿物(potential_…)并列作为核对;"
    "两者相差很大时,须以试烧为准。",
    "熟料中的限量均按固体产物质量计:已扣除烧失量与平衡时逸出的 SO3(SO3_loss);碱与金属除配方注明外不计挥发。",
    "未计燃料灰分。",
    "产品限值按熟料本身判定;使用时石膏与骨料会进一步稀释。",
)

#: Phases that clinkers are asked about: symbol -> (mineral, name, Chinese name).
MINERALS: dict[str, tuple[str, str, str]] = {
    "C3S": ("C3S", "alite at equilibrium", "C3S(平衡)"),
    "C2S": ("C2S", "belite at equilibrium", "C2S(平衡)"),
    "C3A": ("C3A", "tricalcium aluminate at equilibrium", "C3A(平衡)"),
    "C4AF": ("C4AF", "ferrite at equilibrium", "铁铝酸钙(平衡)"),
    "C4A3S": ("C4A3S", "ye'elimite at equilibrium", "C4A3S(平衡)"),
    "CaSO4": ("CaSO4", "anhydrite at equilibrium", "CaSO4(平衡)"),
    "CT": ("CT", "perovskite at equilibrium", "CT(平衡)"),
    "C2AS": ("C2AS", "gehlenite and melilite at equilibrium", "C2AS(平衡)"),
    "C12A7": ("C12A7", "mayenite at equilibrium", "C12A7(平衡)"),
    "ternesite": ("C5S2Sulfate", "ternesite at equilibrium", "硫硅钙石(平衡)"),
    "periclase": ("MgO", "periclase at equilibrium", "方镁石(平衡)"),
    "free_CaO": ("CaO", "free lime at equilibrium", "f-CaO(平衡)"),
}


def assemblage(symbols: tuple[str, ...], suppress: tuple[str, ...] = ()) -> Assemblage:
    """The equilibrium of a clinker route with these phases as criteria."""
    criteria: Mapping[str, Criterion] = {
        **{s: phase(s, *MINERALS[s][1:]) for s in symbols},
        "SO3_loss": Criterion(
            "SO3_loss", "SO3 lost to the kiln gas at equilibrium, of the SO3 fed", "wt%",
            {f"{EQUILIBRIUM}SO3_loss": 1.0}, {f"{EQUILIBRIUM}SO3_fed": 1.0}, _EQUILIBRIUM, 100.0, "ignited",
            "平衡时逸出的 SO3 占入窑 SO3 的比例", (), ASSUMPTIONS,
        ),
    }  # fmt: skip
    return Assemblage(
        "temperature", "rotary_kiln", {"SO2": "pSO2", "O2": "pO2"}, suppress,
        {s: MINERALS[s][0] for s in symbols}, criteria, STATEMENTS, STATEMENTS_ZH,
    )  # fmt: skip

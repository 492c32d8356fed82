"""Every check of the calcination work against published numbers, as rows that the documentation shows.

``python tests/simulate/validation_table.py`` writes the tables of docs/validation.md anew; test_validation_page.py
makes them again and compares. Evidence of a published value: `primary`, read in the source; `secondary`, read
elsewhere; `memory`, a usual value without a page at hand; `exact`, stoichiometry or what the data were made with.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))

from kinetic_fit_data import SINGLE, conversion, runs
from test_equilibrium_validation import OXIDES, TAYLOR, has, limit, minerals

import wastelab as wl
from wastelab.chemistry.formulas import molar_mass
from wastelab.reference import thermochemistry
from wastelab.reference.kinetics import windows
from wastelab.reference.thermo_report import equilibrium_temperature
from wastelab.simulate import kinetic_fit as kf
from wastelab.simulate.kinetic_fit.words import method_name

PAGE = Path(__file__).resolve().parents[2] / "docs" / "validation.md"
ZERO = 273.15
MEAL = {"calcite": 77.0, "kaolinite": 9.0, "quartz": 9.5, "hematite": 2.5, "dolomite": 2.0}
TESTS = {
    "equilibrium": "tests/simulate/test_equilibrium_validation.py",
    "thermo": "tests/reference/test_thermochemistry.py",
    "gypsum": "tests/simulate/test_gypsum.py",
    "kinetics": "tests/reference/test_kinetics_data.py",
    "fits": "tests/simulate/test_kinetic_fit.py",
    "parallel": "tests/simulate/test_kinetic_fit_multistep.py",
    "kiln": "tests/simulate/test_kiln_equipment.py",
}


@dataclass(frozen=True)
class Row:
    """One check; `low` and `high` are None where the published value is not expected to be met, and `why` says why."""

    what: str
    condition: str
    computed: float
    digits: int
    unit: str
    known: str
    low: float | None
    high: float | None
    source: str
    evidence: str
    test: str
    why: str = ""

    @property
    def held(self) -> bool | None:
        """Whether the computed value lies in the range; None where no range is given."""
        if self.low is None or self.high is None:
            return None
        return self.low <= self.computed <= self.high

    def cells(self) -> list[str]:
        """Cells of the table."""
        shown = f"{self.computed:.{self.digits}f}"
        if float(shown) == 0.0 and self.computed > 0.0:
            shown = f"< {10.0**-self.digits:.{self.digits}f}"
        held = {True: "yes", False: "**no**", None: self.why}[self.held]
        said = f"{self.source} ({self.evidence})"
        return [self.what, self.condition, f"{shown} {self.unit}", self.known, held, said, f"`{TESTS[self.test]}`"]


def losses() -> list[Row]:
    """Mass losses of pure minerals at equilibrium against atomic weights."""
    out = []
    for name, formula, degC, percent in (
        ("calcite", "CaCO3", 1000, 43.97), ("magnesite", "MgCO3", 800, 52.20), ("dolomite", "CaMg(CO3)2", 1000, 47.73),
        ("portlandite", "Ca(OH)2", 700, 24.31), ("brucite", "Mg(OH)2", 600, 30.89),
        ("kaolinite", "Al2Si2O5(OH)4", 900, 13.96), ("gibbsite", "Al(OH)3", 600, 34.64),
        ("gypsum", "CaSO4(H2O)2", 600, 20.93),
    ):  # fmt: skip
        ds = wl.equilibrium(minerals(**{formula: 100.0}), f"{degC} degC", "air")
        out.append(Row(f"mass loss of {name}", f"{degC} °C, air", 100 * float(ds["mass_loss"]), 2, "%",
                       f"{percent:.2f} %", percent - 0.006, percent + 0.006, "standard atomic weights", "exact",
                       "equilibrium"))  # fmt: skip
    half = 100 * 1.5 * molar_mass("H2O") / molar_mass("CaSO4(H2O)2")
    ds = wl.calcine(None, "2 K/min to 140 degC, hold 4 h", {"H2O": 0.2, "O2": 0.2}, phases={"gypsum": 100})
    out.append(Row("mass loss of gypsum, first step", "140 °C held, 0.2 bar H2O, by rate laws",
                   100 - float(ds["mass"].values[-1]), 2, "%", "15.70 % (hemihydrate)", half - 0.05, half + 0.05,
                   "standard atomic weights", "exact", "kinetics"))  # fmt: skip
    return out


def temperatures() -> list[Row]:
    """Temperatures of decomposition and of stability."""
    out = []
    for name, formula, phase, gas, low, high, digits, source in (
        ("CaCO3 to CaO", "CaCO3", "calcite", "co2", 1160, 1177, 0, "887 to 904 °C at 1 bar CO2, handbooks"),
        ("MgCO3 to MgO", "MgCO3", "magnesite", "co2", 655, 685, 0, "about 670 K at 1 bar CO2, handbooks"),
        ("Mg(OH)2 to MgO", "Mg(OH)2", "brucite", "steam", 535, 555, 0, "265 to 280 °C at 1 bar H2O, handbooks"),
        ("Ca(OH)2 to CaO", "Ca(OH)2", "portlandite", "steam", 780, 805, 0,
         "512 °C at 1 atm H2O, Halstead and Moore, J. Chem. Soc. (1957) 3873"),
    ):  # fmt: skip
        t = limit(minerals(**{formula: 100.0}), has(phase), low - 60.0, high + 100.0, gas)
        out.append(Row(name, "1 bar of its gas", t, digits, "K", f"{low} to {high} K", low, high, source, "memory",
                       "equilibrium"))  # fmt: skip
    thermo = thermochemistry()
    for reaction, name, bar, low, high, source in (
        ("gypsum -> bassanite_alpha + 1.5 H2O(g)", "gypsum to α-hemihydrate", {"H2O(g)": 0.909}, 368, 373,
         "97 °C in water, Posnjak, Am. J. Sci. 35A (1938) 247"),
        ("gypsum -> bassanite_beta + 1.5 H2O(g)", "gypsum to β-hemihydrate", {}, 370, 386, "practice of kettles"),
        ("bassanite_beta -> anhydrite_III + 0.5 H2O(g)", "hemihydrate to soluble anhydrite", {"H2O(g)": 0.03}, 388, 413,
         "115 to 140 °C in moist hot air"),
    ):  # fmt: skip
        t = equilibrium_temperature(thermo, reaction, bar)
        gas = f"{bar.get('H2O(g)', 1.0):g} bar H2O"
        out.append(Row(name, gas, t, 0, "K", f"{low} to {high} K", low, high, source, "memory", "gypsum"))
    from wastelab.simulate.gypsum import transition_in_water

    out.append(Row("gypsum to anhydrite", "in water", float(transition_in_water()["to_anhydrite"]), 0, "°C",
                   "38 to 60 °C", 38, 60, "Hardie, Am. Mineral. 52 (1967) 171-200, abstract", "primary",
                   "gypsum"))  # fmt: skip
    kiln_gas = {"O2": "5 %", "SO2": "0.1 %"}
    t = limit(minerals(CaSO4=100.0), has("anhydrite"), 1000.0, 1790.0, kiln_gas)
    out.append(Row("CaSO4 to CaO", "0.001 bar SO2, 0.05 bar O2", t, 0, "K", "1450 to 1500 K", 1450, 1500,
                   "about 1200 °C in kiln gas", "memory", "equilibrium"))  # fmt: skip
    t = limit({"Fe2O3": 100.0}, has("hematite"), 1300.0, 1790.0, {"O2": "21 %"})
    out.append(Row("Fe2O3 to Fe3O4", "air", t, 0, "K", "1660 to 1690 K", 1660, 1690, "1390 to 1420 °C in air",
                   "memory", "equilibrium"))  # fmt: skip
    out.append(Row("Fe3O4 to wüstite (FeO)", "900 °C", _wustite(), 0, "% CO of CO + CO2", "15 to 35 %", 15, 35,
                   "Baur-Glaessner diagram", "memory", "equilibrium"))  # fmt: skip
    mix = {"CaO": 73.69, "SiO2": 26.31}
    t = limit(mix, lambda m: not has("C3S_M3", "C3S_T", "C3S_R")(m), 1300.0, 1700.0, "air")
    out.append(Row("lower limit of C3S", "air", t, 0, "K", "1505 to 1535 K", 1505, 1535, "1250 °C, cement chemistry",
                   "memory", "equilibrium"))  # fmt: skip
    for so2, low, high in (("0.01 %", 1480, 1640), ("0.1 %", 1560, 1720)):
        t = limit(minerals(Ca4Al6SO16=100.0), has("yeelimite"), 1300.0, 1799.0, {"O2": "5 %", "SO2": so2})
        out.append(Row("upper limit of ye'elimite", f"SO2 {so2}, O2 5 %", t, 0, "K", f"{low} to {high} K", low, high,
                       "lost at 1300 to 1350 °C in industrial gas of unknown SO2; some 100 K for ten times the SO2",
                       "memory", "equilibrium"))  # fmt: skip
    return out


def _wustite() -> float:
    """Share of CO [%] at which wustite takes the place of magnetite at 900 degC, by bisection."""
    low, high = 5.0, 95.0
    while high - low > 0.1:
        middle = 0.5 * (low + high)
        gas = {"CO": 0.005 * middle, "CO2": 0.5 - 0.005 * middle}
        ds = wl.equilibrium({"Fe2O3": 100.0}, "900 degC", gas)
        here = str(ds["phase"].values[int(ds["phase_fraction"].values.argmax())]).startswith("wustite")
        low, high = (low, middle) if here else (middle, high)
    return 0.5 * (low + high)


def clinkers() -> list[Row]:
    """Phases of Portland and belite-ye'elimite-ferrite clinker, heat of formation."""
    out = []
    bogue = {k: float(v) for k, v in wl.bogue(TAYLOR).items() if k in ("C3S", "C2S", "C3A", "C4AF")}
    pure = wl.equilibrium(TAYLOR, "1450 degC", "rotary_kiln", suppress="portland", solutions=False)
    real = wl.equilibrium(TAYLOR, "1450 degC", "rotary_kiln", suppress="portland")
    total = 100 * float(pure["phase_fraction"].sum())
    typical = "Taylor, Cement Chemistry, 2nd ed. (1997), typical clinker 66.6/21.5/5.2/2.8"
    taylor = {"C3S": 64.7, "C2S": 12.9, "C3A": 9.0, "C4AF": 8.5}
    for name, wanted in bogue.items():
        found = total * float(pure["mineral_fraction"].sel(mineral=name))
        out.append(Row(f"{name} of a Portland clinker", "1450 °C, pure phases", found, 1, "wt%",
                       f"{wanted:.1f} wt% (Bogue)", wanted - 0.1, wanted + 0.1, typical, "memory",
                       "equilibrium"))  # fmt: skip
    for name, wanted in taylor.items():
        found = total * float(real["mineral_fraction"].sel(mineral=name))
        out.append(Row(f"{name} of a Portland clinker", "1450 °C, ferrite solution", found, 1, "wt%",
                       f"{wanted:.1f} wt% (with solid solution)", None, None, typical, "memory", "equilibrium",
                       "not expected: alite and belite are pure"))  # fmt: skip
    cold = wl.equilibrium(TAYLOR, "1200 degC", "rotary_kiln", suppress="portland")
    out.append(Row("free lime of the same mix", "1200 °C", 100 * float(cold["mineral_fraction"].sel(mineral="CaO")), 0,
                   "wt%", "15 to 20 wt%, no alite", 15, 20, "balance of C2S, C3A and C4AF", "exact",
                   "equilibrium"))  # fmt: skip
    byf = {k: v for k, v in minerals(Ca2SiO4=55.0, Ca4Al6SO16=25.0, Ca4Al2Fe2O10=20.0).items() if k in OXIDES}
    ds = wl.equilibrium(byf, "1250 degC", {"O2": "5 %", "CO2": "20 %", "SO2": "0.1 %"})
    source = "De la Torre et al., J. Synchrotron Rad. 18 (2011) 506-514, abstract"
    for name, low, high, evidence in (
        ("C2S", 50, 60, "primary"), ("C4A3S", 20, 30, "primary"), ("C4AF", 12, 25, "primary"),
    ):  # fmt: skip
        known = f"{low} to {high} wt%" + (" (the rest)" if name == "C4AF" else "")
        out.append(Row(f"{name} of a belite-ye'elimite-ferrite clinker", "1250 °C, 0.001 bar SO2",
                       100 * float(ds["mineral_fraction"].sel(mineral=name)), 0, "wt%", known, low, high, source,
                       evidence, "equilibrium"))  # fmt: skip
    meal = {"calcite": 78.0, "quartz": 9.0, "kaolinite": 11.0, "hematite": 2.0}
    names = {"calcite": "CaCO3", "quartz": "SiO2", "kaolinite": "Al2Si2O5(OH)4", "hematite": "Fe2O3"}
    ds = wl.equilibrium(minerals(**{names[k]: v for k, v in meal.items()}), "1450 degC", "rotary_kiln",
                        suppress="portland", reactants=meal)  # fmt: skip
    heat = float(ds["heat_of_reaction"]) / float(ds["phase_fraction"].sum()) / 1e3
    out.append(Row("heat of clinker formation", "25 °C to 25 °C", heat, 2, "MJ/kg", "1.65 to 1.85 MJ/kg", 1.65, 1.85,
                   "1.76 MJ/kg, Taylor, Cement Chemistry, ch. 3", "memory", "equilibrium"))  # fmt: skip
    return out


def peaks() -> list[Row]:
    """DTG peaks of simulated thermobalance runs at 10 K/min."""
    out = []
    for mineral, gas in (("kaolinite", "nitrogen"), ("calcite", "nitrogen"), ("gypsum", {"H2O": 0.02, "N2": 0.98})):
        ds = wl.calcine(None, "from 20 degC, 10 K/min to 1000 degC", gas, phases={mineral: 100})
        k = int(np.argmax(np.abs(ds["dtg"].values)))
        seen = windows()[mineral]
        shown = gas if isinstance(gas, str) else "0.02 bar H2O"
        peak = float(ds["temperature"].values[k]) + ZERO
        out.append(Row(f"DTG peak of {mineral}", f"10 K/min, {shown}", peak, 0, "K",
                       f"{seen.T_low:.0f} to {seen.T_high:.0f} K", seen.T_low, seen.T_high,
                       f"{seen.source.text}; {seen.conditions}", str(seen.source.evidence), "kinetics"))  # fmt: skip
    return out


def fits() -> list[Row]:
    """Simulated runs given back by every method: worst relative error of Ea over four sets and all conversions."""
    out = []
    worst: dict[str, float] = {}
    model, rank = 0.0, 0
    for name, (Ea, ln_A) in SINGLE.items():
        fit = kf.fit_kinetics(runs([(1.0, name, Ea, ln_A)]))
        for method, e in fit.energies.items():
            worst[method] = max(worst.get(method, 0.0), 100 * float(np.abs(e.Ea / Ea - 1).max()))
        if fit.kissinger is not None:
            worst["kissinger"] = max(worst.get("kissinger", 0.0), 100 * abs(fit.kissinger.Ea / Ea - 1))
        model = max(model, 100 * abs(fit.best.Ea / Ea - 1))
        rank += fit.best.family == name
    bounds = {"friedman": 1e-4, "vyazovkin": 1e-4, "vyazovkin_incremental": 1e-4, "kas_corrected": 1e-2,
              "ofw_corrected": 1e-2, "starink": 0.1, "kas": 0.5, "ofw": 2.5, "kissinger": 0.3}  # fmt: skip
    sets = "F1, A2, R3, D4; 150 to 250 kJ/mol; 2.5 to 20 K/min"
    source = "made by SciPy's exponential integral; bias of methods: ICTAC 2011, doi:10.1016/j.tca.2011.03.034"
    for method, bound in bounds.items():
        label = "Kissinger (peaks)" if method == "kissinger" else method_name(method)
        out.append(Row(f"Ea by {label}, worst error", sets, worst[method], 3 if bound < 0.05 else 1, "%",
                       f"at most {bound:g} %", 0.0, bound, source, "exact", "fits"))  # fmt: skip
    out.append(Row("Ea of the model fitted, worst error", sets, model, 3, "%", "at most 0.0001 %", 0.0, 1e-4, source,
                   "exact", "fits"))  # fmt: skip
    out.append(Row("models named as they were made", sets, float(rank), 0, "of 4", "4 of 4", 4, 4, source, "exact",
                   "fits"))  # fmt: skip
    return out + _ictac()


def _ictac() -> list[Row]:
    """The simulated set of the ICTAC kinetics project: two first-order reactions of equal weight side by side."""
    low, high = (80e3, np.log(1e10 / 60)), (120e3, np.log(1e15 / 60))
    data = []
    for rate in (0.5, 1.0, 2.0, 4.0, 8.0):
        t = np.arange(220.0, 620.0, 0.25)
        each = [conversion("F1", Ea, ln_A, rate / 60, t) for Ea, ln_A in (low, high)]
        data.append({"name": f"{rate:g} K/min", "time_s": (t - t[0]) / (rate / 60), "temperature_K": t,
                     "alpha": 0.5 * (each[0] + each[1])})  # fmt: skip
    fit = kf.fit_parallel(data, ("F1", "F1"))
    source = "simulated set of the ICTAC kinetics project, Brown et al., Thermochim. Acta 355 (2000) 125-143"
    out = []
    for wanted, component in zip((80.0, 120.0), fit.components, strict=True):
        out.append(Row("Ea of one of two parallel reactions", "equal shares, 0.5 to 8 K/min, `fit_parallel`",
                       component.Ea / 1e3, 2, "kJ/mol", f"{wanted:g} kJ/mol", wanted - 0.05, wanted + 0.05, source,
                       "memory", "parallel"))  # fmt: skip
    free = kf.fit_kinetics(data, models=None)
    said = any(w.code == "ea_varies" and w.severity == "severe" for w in free.warnings)
    ea = free.energies["friedman"].Ea / 1e3
    rise = float(ea[-1] - ea[0])
    out.append(Row("rise of Ea with conversion, Friedman", "the same runs as one step", rise, 0, "kJ/mol",
                   "20 to 50 kJ/mol, and it must be remarked", 20.0 if said else np.inf, 50.0, source,
                   "memory", "parallel"))  # fmt: skip
    return out


def kilns() -> list[Row]:
    """Specific heat of cement kilns."""
    out = []
    source = "usual heat consumption of dry kilns with preheater and of wet kilns"
    for equipment, name, low, high in (
        ("rotary_kiln", "dry with preheater", 3.0, 4.0), ("rotary_kiln_wet", "wet", 5.0, 6.4),
    ):  # fmt: skip
        ds = wl.kiln(phases=MEAL, equipment=equipment, target="1450 degC")
        out.append(Row(f"specific heat of a rotary kiln, {name}", "clinker at 1450 °C", float(ds["specific_heat"]), 1,
                       "GJ/t", f"{low} to {high} GJ/t", low, high, source, "secondary", "kiln"))  # fmt: skip
    return out


TABLES: dict[str, Callable[[], list[Row]]] = {
    "losses": cache(losses), "temperatures": cache(temperatures), "clinkers": cache(clinkers), "peaks": cache(peaks),
    "fits": cache(fits), "kilns": cache(kilns),
}  # fmt: skip


def markdown(rows: list[Row]) -> str:
    """Rows as a table."""
    head = ["check", "condition", "computed", "known", "met", "source (evidence)", "reproduced by"]
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(r.cells()) + " |" for r in rows]
    return "\n".join(lines)


def marks(name: str) -> tuple[str, str]:
    """Lines around a generated table of the page."""
    return f"<!-- {name}: begin, generated -->\n", f"<!-- {name}: end -->"


def write() -> None:
    """Write the tables of the page anew."""
    text = PAGE.read_text(encoding="utf-8")
    for name, rows in TABLES.items():
        begin, end = marks(name)
        before, rest = text.split(begin)
        text = before + begin + markdown(rows()) + "\n" + end + rest.split(end, 1)[1]
    PAGE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()

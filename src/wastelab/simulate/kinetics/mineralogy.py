"""Mineral phases of a mix: as measured, or by a norm that says it is one.

A norm assigns oxides to minerals in a fixed order, as petrologists do; it is arithmetic on an analysis, not a
measurement. It is offered where the order is beyond doubt for the waste class and refused elsewhere, naming what to
measure.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from ...chemistry.formulas import molar_mass
from ...chemistry.material import Material
from ...chemistry.mineral_balance import check_phases
from ...errors import CompositionError, MissingDataError
from ...provenance import Evidence, Source, weakest
from ..charge import Charge, as_charge
from .network import INERT, phase_name

#: Sum of phases above which an analysis is refused, and up to which it is scaled to 100 [wt%].
SUM_REFUSED, SUM_SCALED = 101.0, 100.0
#: Alkali content above which K-bearing clay, mica and feldspar cannot be told apart without XRD [wt% K2O].
MOST_K2O = 1.5
#: CO2 that calcite cannot hold and that is still left unassigned [wt%].
MOST_CO2_LEFT = 0.5
#: SiO2 and SO3 from which a raw material counts as quartz sand and as gypsum or anhydrite [wt%].
PURE_QUARTZ, PURE_SULFATE = 90.0, 40.0
_XRD = "quantitative XRD (Rietveld, with an internal standard for the amorphous share)"


@dataclass(frozen=True)
class Mineralogy:
    """Phases of a dry mix.

    Attributes
    ----------
    phases : mapping of str to float
        Share of each phase [wt% dry], ``unidentified`` filling up to 100.
    kind : {"measured", "norm", "given", "mixed"}
    statement : str
        What it is and how it was made.
    source : Source
    warnings : tuple of str
    """

    phases: Mapping[str, float]
    kind: str
    statement: str
    source: Source
    warnings: tuple[str, ...] = field(default=())


def mineralogy_of(mix: Any, phases: Mapping[str, float] | None = None, *, own: Collection[str] = ()) -> Mineralogy:
    """Phases of a mix: those given, those measured, or a norm.

    Parameters
    ----------
    mix : Material, mapping of Material to float, or anything `as_charge` reads
        A mapping of materials to dry mass fractions takes the phases of each material.
    phases : mapping of str to float, optional
        Phases [wt% dry], in place of those the mix brings.
    own : collection of str
        Names of phases beside those the tables and reactions know.

    Raises
    ------
    MissingDataError
        If there are no phases and no norm; says what to measure.
    CompositionError
        If phases are negative or sum to more than 101 wt%.
    UnknownNameError
        For a phase nobody knows.
    """
    if phases is not None:
        oxides = None if _is_blend(mix) or mix is None else _oxides(as_charge(mix))
        source = Source("phases given by the user", Evidence.RECIPE)
        return _checked(phases, "given", "phases as given", source, oxides, own=own)
    if _is_blend(mix):
        return _blended(mix)
    charge = as_charge(mix)
    if isinstance(mix, Material) and mix.phases:
        level = weakest(q.source.evidence for q in mix.phases.values())
        source = Source(f"mineral phases of {mix.id}", level)
        given = _with_carbon({k: q.value for k, q in mix.phases.items()}, mix)
        return _checked(given, "measured", f"phases of {mix.id} as in its record", source, _oxides(charge))
    if charge.phases:
        return _checked(charge.phases, "measured", "phases of the charge", charge.source, _oxides(charge))
    if not isinstance(mix, Material):
        raise MissingDataError(
            "The mineral phases of the mix are not known; oxides alone do not say what happens on heating. Give "
            f"phases={{'kaolinite': 40, 'quartz': 35, ...}} in wt% of the dry mass, from {_XRD}; or give a Material, "
            "or a mapping of materials to fractions, for whose class a norm exists."
        )
    return normative(mix)


def normative(mix: Material | Charge | Any, waste_class: str | None = None) -> Mineralogy:
    """Phases by a norm: oxides assigned to the minerals usual in a waste class, in a fixed order.

    Parameters
    ----------
    mix : Material, or anything `as_charge` reads
    waste_class : str, optional
        That of the material by default; ``"raw"`` stands for limestone, dolomite, gypsum and quartz sand.

    Returns
    -------
    Mineralogy
        kind ``"norm"``.

    Raises
    ------
    MissingDataError
        If the class has no norm (red mud, tailings), if the analysis lacks what the norm needs, or if it leaves a
        choice open; names what to measure.

    Notes
    -----
    Coal gangue: carbon from organic C; pyrite from SO3; calcite from CO2; kaolinite from bound water, limited by Al and
    Si; hematite, rutile, quartz from what is left of Fe, Ti, Si. Gypsum: gypsum from SO3 if water fits 2 H2O per SO3;
    calcite from CO2; quartz. Fly ash and slag: carbon, calcite; all else counts as amorphous and inert on heating below
    sintering. Limestone: dolomite from MgO if CO2 suffices, calcite from the rest of CO2, quartz. Where bound water was
    not measured it is LOI less CO2 less carbon, and the result says so.
    """
    charge = as_charge(mix)
    if not charge.single:
        raise CompositionError("A norm is made of one mix at a time.")
    kind = waste_class or (mix.waste_class if isinstance(mix, Material) else None)
    label = mix.id if isinstance(mix, Material) else "the mix"
    if kind is None:
        raise MissingDataError(
            f"{label}: a norm depends on the waste class; name it (waste_class='coal_gangue'), or measure the "
            f"phases: {_XRD}."
        )
    if isinstance(mix, Material) and mix.kind == "blend":
        raise MissingDataError(
            f"{label}: a blend has no norm of its own; give the mapping of its materials to fractions, so that each "
            f"brings its phases, or measure the blend: {_XRD}."
        )
    norms = {
        "coal_gangue": _gangue, "fgd_gypsum": _gypsum, "fly_ash": _glassy, "smelting_slag": _glassy, "raw": _raw,
    }  # fmt: skip
    if kind not in norms:
        why = {
            "red_mud": "aluminium may sit in gibbsite, boehmite, diaspore, sodalite, cancrinite and hydrogarnet, iron "
            "in hematite and goethite, sodium in sodalite and cancrinite",
            "tailings": "carbonates, sulfides, micas and feldspars share the same oxides",
        }.get(kind, "the class is not known")
        raise MissingDataError(
            f"{label} ({kind}): there is no norm, {why}. Measure {_XRD}, with TG for the hydrates, and give phases=."
        )
    book = _Book(charge, label)
    norms[kind](book)
    phases = {p: w for p, w in book.phases.items() if w > 1e-9}
    source = Source(f"norm for {kind} from the analysis of {label}", weakest([charge.source.evidence, "computed"]))
    said = (
        f"norm, not a measurement: oxides of {label} assigned to the minerals usual in {kind} in a fixed order; "
        f"measure {_XRD} before relying on it"
    )
    return _checked(phases, "norm", said, source, None, book.notes)


class _Book:
    """Account of what an analysis still holds [mol/kg] while minerals are taken from it."""

    def __init__(self, charge: Charge, label: str) -> None:
        self.label, self.charge = label, charge
        self.wt = _oxides(charge)
        self.phases: dict[str, float] = {}
        self.notes: list[str] = []
        self.left = {o: 10.0 * self.wt.get(o, 0.0) / molar_mass(o) for o in (
            "SiO2", "Al2O3", "Fe2O3", "CaO", "MgO", "SO3", "TiO2",
        )}  # fmt: skip

    def need(self, name: str, how: str) -> float:
        """Content of a part of the loss [wt%]."""
        if name not in self.wt:
            raise MissingDataError(f"{self.label}: {name} is not known and the norm needs it; measure it ({how}).")
        return self.wt[name]

    def carbon(self) -> float:
        return self.need("organic_C", "TOC, or LECO carbon less carbonate")

    def co2(self) -> float:
        return self.need("carbonate_CO2", "carbonate CO2 by acid or TG-MS") * 10.0 / molar_mass("CO2")

    def water(self) -> float:
        """Bound water [mol/kg]."""
        if "bound_water" in self.wt:
            return self.wt["bound_water"] * 10.0 / molar_mass("H2O")
        loss = self.need("LOI", "loss on ignition at 950-1000 degC")
        value = loss - self.carbon() - self.need("carbonate_CO2", "carbonate CO2 by acid or TG-MS")
        self.notes.append(
            f"bound water of {self.label} was not measured: {max(value, 0.0):.2f} wt% is LOI less carbon less CO2"
        )
        return max(value, 0.0) * 10.0 / molar_mass("H2O")

    def add(self, phase: str, formula: str, moles: float) -> None:
        self.phases[phase] = self.phases.get(phase, 0.0) + moles * molar_mass(formula) / 10.0

    def take(self, phase: str, formula: str, moles: float, **oxides: float) -> float:
        """Take a mineral as far as its oxides reach; returns the moles taken."""
        moles = max(0.0, min([moles, *(self.left[o] / n for o, n in oxides.items())]))
        for o, n in oxides.items():
            self.left[o] -= n * moles
        if moles > 0:
            self.add(phase, formula, moles)
        return moles

    def carbonate(self) -> None:
        co2 = self.co2()
        left = co2 - self.take("calcite", "CaCO3", co2, CaO=1.0)
        over = left * molar_mass("CO2") / 10.0
        if over > MOST_CO2_LEFT:
            raise MissingDataError(
                f"{self.label}: {over:.2g} wt% CO2 is more than its lime can hold as calcite; dolomite, siderite and "
                f"ankerite share it. Measure {_XRD} and give phases=."
            )
        if over > 0.02:
            self.notes.append(f"{over:.2g} wt% CO2 of {self.label} exceeds calcite and is left unidentified")

    def rest(self) -> None:
        self.take("rutile", "TiO2", self.left["TiO2"], TiO2=1.0)
        self.take("hematite", "Fe2O3", self.left["Fe2O3"], Fe2O3=1.0)
        self.take("quartz", "SiO2", self.left["SiO2"], SiO2=1.0)


def _gangue(book: _Book) -> None:
    k2o = book.wt.get("K2O", 0.0)
    if k2o > MOST_K2O:
        raise MissingDataError(
            f"{book.label}: {k2o:.2g} wt% K2O may be illite, mica or feldspar, which lose different water; the norm "
            f"ends at {MOST_K2O:g} wt%. Measure {_XRD} and give phases=."
        )
    water = book.water()
    book.add("graphite", "C", 10.0 * book.carbon() / molar_mass("C"))
    sulfur = book.left["SO3"]
    pyrite = book.take("pyrite", "FeS2", sulfur / 2.0, Fe2O3=0.5, SO3=2.0)
    if pyrite > 0:
        book.notes.append(f"all sulfur of {book.label} counts as pyrite; sulfate of weathered gangue would be wrong")
    book.carbonate()
    taken = book.take("kaolinite", "Al2Si2O5(OH)4", water / 2.0, Al2O3=1.0, SiO2=2.0)
    over = (water - 2.0 * taken) * molar_mass("H2O") / 10.0
    if over > 1.0:
        raise MissingDataError(
            f"{book.label}: {over:.2g} wt% of water or volatiles is more than kaolinite can hold with the alumina "
            f"there (boehmite, gibbsite, coal volatiles?). Measure {_XRD} and TG-MS, and give phases=."
        )
    book.rest()
    spare = book.left["Al2O3"] * molar_mass("Al2O3") / 10.0
    if spare > 2.0:
        book.notes.append(
            f"{spare:.2g} wt% Al2O3 of {book.label} finds no water and is left unidentified (feldspar, amorphous?)"
        )


def _gypsum(book: _Book) -> None:
    water, sulfate = book.water(), book.left["SO3"]
    if sulfate <= 0:
        raise MissingDataError(f"{book.label}: SO3 is not known and the norm needs it; measure it.")
    ratio = water / sulfate
    if ratio < 0.05:
        book.take("anhydrite", "CaSO4", sulfate, CaO=1.0, SO3=1.0)
        book.rest()
        return
    if not 1.8 <= ratio <= 2.2:
        raise MissingDataError(
            f"{book.label}: {ratio:.2f} mol of water per SO3; gypsum has 2. It holds hemihydrate or anhydrite, or free "
            f"water was counted. Dry at 45 degC and measure the phases by two-step TG (to 230 degC) or {_XRD}."
        )
    book.take("gypsum", "CaSO4(H2O)2", min(sulfate, water / 2.0), CaO=1.0, SO3=1.0)
    anhydrite = book.take("anhydrite", "CaSO4", book.left["SO3"], CaO=1.0, SO3=1.0)
    if anhydrite > 0:
        book.notes.append(f"SO3 of {book.label} without water counts as anhydrite")
    book.add("graphite", "C", 10.0 * book.wt.get("organic_C", 0.0) / molar_mass("C"))
    book.carbonate()
    book.rest()


def _glassy(book: _Book) -> None:
    water = book.wt.get("bound_water", 0.0)
    if water > 0.5:
        raise MissingDataError(
            f"{book.label}: {water:.2g} wt% bound water sits in hydrates a norm cannot name. Measure {_XRD} and TG."
        )
    book.add("graphite", "C", 10.0 * book.carbon() / molar_mass("C"))
    book.carbonate()
    used = sum(book.phases.values())
    book.phases["amorphous"] = max(0.0, 100.0 - used)
    book.notes.append(f"glass and crystals of {book.label} are not told apart: neither reacts here below sintering")


def _raw(book: _Book) -> None:
    if book.wt.get("SiO2", 0.0) >= PURE_QUARTZ:
        book.take("quartz", "SiO2", book.left["SiO2"], SiO2=1.0)
    elif book.wt.get("SO3", 0.0) >= PURE_SULFATE:
        _gypsum(book)
    else:
        _limestone(book)


def _limestone(book: _Book) -> None:
    co2 = book.co2()
    sulfur = book.left["SO3"] * molar_mass("SO3") / 10.0
    earths = book.left["CaO"] + book.left["MgO"]
    if co2 < 0.6 * earths or co2 <= 0:
        raise MissingDataError(
            f"{book.label}: of the raw materials only limestone, dolomite, gypsum and quartz have a norm; CO2 fills "
            f"{100 * co2 / max(earths, 1e-12):.0f} % of its CaO and MgO. Measure {_XRD} and give phases=."
        )
    spare = co2 - book.left["CaO"]
    if spare > 0:
        taken = book.take("dolomite", "CaMg(CO3)2", spare, CaO=1.0, MgO=1.0)
        co2 -= 2.0 * taken
    if spare > 1e-3:
        book.notes.append(f"CO2 of {book.label} above its lime counts as dolomite")
    left = co2 - book.take("calcite", "CaCO3", co2, CaO=1.0)
    over = left * molar_mass("CO2") / 10.0
    if over > MOST_CO2_LEFT:
        raise MissingDataError(
            f"{book.label}: {over:.2g} wt% CO2 is more than CaO and MgO can hold as calcite and dolomite. Measure "
            f"{_XRD}."
        )
    if sulfur > 1.0:
        raise MissingDataError(
            f"{book.label}: {sulfur:.2g} wt% SO3 may be gypsum, anhydrite or pyrite. Measure {_XRD} and give phases=."
        )
    book.add("graphite", "C", 10.0 * book.wt.get("organic_C", 0.0) / molar_mass("C"))
    book.rest()
    if book.left["Al2O3"] > 1e-3:
        book.notes.append(f"clay of {book.label} is left unidentified; its silica counts as quartz")


def _checked(
    given: Mapping[str, float],
    kind: str,
    statement: str,
    source: Source,
    oxides: Mapping[str, float] | None,
    notes: list[str] | None = None,
    own: Collection[str] = (),
) -> Mineralogy:
    warnings = list(notes or [])
    phases: dict[str, float] = {}
    if not given:
        raise MissingDataError(f"phases is empty; give at least one phase in wt% of the dry mass, from {_XRD}.")
    for name, value in given.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0.0 <= value <= 200.0:
            raise CompositionError(f"phases[{name!r}] = {value!r}; expected wt% of the dry mass, 0 to 100.")
        known = name if name in own else phase_name(name)
        phases[known] = phases.get(known, 0.0) + float(value)
    if "water" in phases:
        raise CompositionError(
            "phases holds free water; phases are of the dry mass. Give it as moisture='8 %' of the moist mass."
        )
    total = sum(phases.values())
    if total > SUM_REFUSED:
        raise CompositionError(
            f"the phases sum to {total:.4g} wt%, more than 100; give shares of the whole dry sample, amorphous "
            "included."
        )
    if total > SUM_SCALED:
        if total > SUM_SCALED + 1e-6:
            warnings.append(f"phases summed to {total:.4g} wt% and were scaled to 100")
        phases = {k: v * SUM_SCALED / total for k, v in phases.items()}
    elif total < SUM_SCALED - 1e-6:
        phases["unidentified"] = phases.get("unidentified", 0.0) + SUM_SCALED - total
        if SUM_SCALED - total > 5.0:
            warnings.append(f"{SUM_SCALED - total:.3g} wt% is not identified and taken as inert")
    if oxides:
        named = {k: v for k, v in phases.items() if k not in INERT}
        for finding in check_phases({**named, "amorphous": 100.0 - sum(named.values())}, oxides):
            v = finding.values
            if finding.key == "phase_oxide":
                warnings.append(
                    f"phases need {v['need']:.3g} wt% {v['oxide']}, the analysis has {v['has']:.3g} (largest part: "
                    f"{v['mineral']})"
                )
    return Mineralogy({k: v for k, v in phases.items() if v > 0}, kind, statement, source, tuple(warnings))


def _with_carbon(phases: dict[str, float], material: Material) -> dict[str, float]:
    """XRD does not see coal: organic carbon joins the phases where these leave room for it."""
    carbon = material.quantities.get("organic_C")
    names = {phase_name(p) for p in phases}
    if carbon is None or carbon.value <= 0 or "graphite" in names:
        return phases
    if sum(phases.values()) + carbon.value > SUM_SCALED + 1e-9:
        return phases
    return {**phases, "graphite": carbon.value}


def _is_blend(mix: Any) -> bool:
    return isinstance(mix, Mapping) and bool(mix) and all(isinstance(m, Material) for m in mix)


def _blended(mix: Mapping[Material, float]) -> Mineralogy:
    import numpy as np

    from ..blending import check_fractions

    check_fractions(np.array(list(mix.values()), dtype=np.float64)[None, :])
    phases: dict[str, float] = {}
    parts = [(m, f, mineralogy_of(m)) for m, f in mix.items() if f > 0]
    for _, f, part in parts:
        for name, share in part.phases.items():
            phases[name] = phases.get(name, 0.0) + f * share
    statement = "; ".join(f"{100 * f:g} % {m.id}: {part.statement}" for m, f, part in parts)
    kinds = {part.kind for _, _, part in parts}
    warnings = [w for _, _, part in parts for w in part.warnings]
    level = weakest(part.source.evidence for _, _, part in parts)
    source = Source("phases of the materials by mass", level)
    return Mineralogy(phases, kinds.pop() if len(kinds) == 1 else "mixed", statement, source, tuple(warnings))


def _oxides(charge: Charge) -> dict[str, float]:
    if not charge.single:
        raise CompositionError("Mineral phases belong to one mix; give a single mix.")
    out = {k: float(v[0]) for k, v in charge.oxides.items()}
    if charge.loss.size and charge.loss[0] == charge.loss[0]:
        out.setdefault("LOI", float(charge.loss[0]))
    return {k: v for k, v in out.items() if v == v}

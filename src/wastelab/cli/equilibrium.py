"""``wastelab equilibrium`` and ``wastelab phase-diagram``: what a mix comes to if every reaction runs to its end."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..errors import WastelabError
from ..i18n import pick_language, tr
from ._mix import Mix, gas_of, mix_options, read_mix, temperatures_of
from ._results import (
    check_folder,
    console,
    drop_objects,
    lazily,
    lines,
    notes,
    phase_title,
    print_json,
    table,
    write_files,
)

if TYPE_CHECKING:
    import xarray as xr
    from rich.console import Console

#: A mineral below this everywhere is not shown to people [kg/kg].
SHOWN = 5e-4
_HEATS = ("heat_required", "heat_of_reaction", "heat_content")


@click.command()
@click.argument("parts", nargs=-1, required=True)
@click.option("--at", "at", multiple=True, required=True,
              help="Temperature with unit, or a range '900 degC..1400 degC' (repeatable).")  # fmt: skip
@click.option("--step", default="25 K", show_default=True, help="Step of a range of temperatures.")
@click.option(
    "--gas", help="Preset (rotary_kiln), pressures ('CO2=25 %, O2=3 %, SO2=0.001 bar') or both; air if absent."
)
@click.option("--closed", is_flag=True, help="No furnace gas: what forms stays, at the total pressure.")
@click.option("--pressure", default="1 bar", show_default=True, help="Total pressure.")
@click.option("--oxygen-potential", help="RT ln p(O2), e.g. '-300 kJ/mol', in place of the oxygen of the gas.")
@click.option("--sulfur", type=click.Choice(["leave", "exchange", "retain"]), default="leave", show_default=True,
              help="Whether SO2 may leave to the gas, also enter from it, or stays.")  # fmt: skip
@click.option("--suppress", multiple=True, help="Phase, symbol or preset left out, e.g. C12A7, portland (repeatable).")
@click.option("--allow", multiple=True, help="Metastable phase let in, e.g. metakaolinite (repeatable).")
@click.option("--allow-set-aside", is_flag=True,
              help="Calculate although more than 5 wt% are oxides without data.")  # fmt: skip
@click.option("--phases", "tables", multiple=True, type=click.Path(path_type=Path), help="Phases of your own (CSV).")
@click.option("--uncertainty", type=click.IntRange(2, 100_000), metavar="N", help="Draws over the data; needs --seed.")
@click.option("--seed", type=int, help="Seed of the draws.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for CSV, netCDF and figure.")
@mix_options
def equilibrium(
    parts: tuple[str, ...],
    at: tuple[str, ...],
    step: str,
    gas: str | None,
    closed: bool,
    pressure: str,
    oxygen_potential: str | None,
    sulfur: str,
    suppress: tuple[str, ...],
    allow: tuple[str, ...],
    allow_set_aside: bool,
    tables: tuple[Path, ...],
    uncertainty: int | None,
    seed: int | None,
    out: Path | None,
    lab_dir: str | None,
    wet: bool,
    as_json: bool,
    lang: str | None,
) -> int:
    """Minerals, gas and heat of PARTS at equilibrium.

    PARTS are materials with shares (red_mud/bayer-diasporic=30%, lab:RM-01=30%, card.toml=30%) or oxides in wt% of
    the dry mix (CaO=66.6 SiO2=21.5 ...; LOI too if it is not ignited).

    \b
    Example:  wastelab equilibrium CaO=66.6 SiO2=21.5 Al2O3=5.2 Fe2O3=2.8 MgO=1 --at "1450 degC" --suppress portland
    Example:  wastelab equilibrium red_mud/bayer-diasporic=30% raw/limestone=50% fgd_gypsum/wet=20%
              --at "900 degC..1350 degC" --gas rotary_kiln --out out/byf
    """
    from ..simulate.charge import as_charge
    from ..simulate.equilibrium import equilibrium as calculate

    language = pick_language(lang)
    check_folder(out)
    if uncertainty is not None and seed is None:
        raise click.UsageError("--uncertainty needs --seed, so that the result can be repeated: --seed 1.")
    mix = read_mix(parts, lab_dir, wet)
    charge = as_charge(mix.analysis())
    if minerals := _reactants(mix):
        charge = replace(charge, phases=minerals)
    wanted = temperatures_of(at, step)
    options: dict[str, Any] = {
        "closed": closed, "pressure": pressure, "phases": list(tables) or None, "suppress": suppress, "allow": allow,
        "sulfur": sulfur, "oxygen_potential": oxygen_potential, "uncertainty": uncertainty, "seed": seed,
        "allow_set_aside": allow_set_aside,
    }  # fmt: skip
    data = calculate(charge, wanted, gas_of(gas), **options)
    data = data.sortby("temperature")
    frame = _frame(data)
    files: dict[str, Any] = {"equilibrium.nc": drop_objects(data), "minerals.csv": frame}
    if data.sizes["temperature"] > 1:
        from ..plotting.calcination import assemblage_figure

        files["minerals.png"] = lazily(assemblage_figure, data, lang=language)
    written = write_files(out, files)
    if as_json:
        print_json({**_body(mix, data), "files": written})
        return 0
    view = console()
    _show(view, mix, data, language)
    notes(view, language, [*mix.notes, *lines(data.attrs, "warnings")], str(data.attrs["evidence"]), written)
    return 0


def _reactants(mix: Mix) -> dict[str, float] | None:
    """Minerals of a mix of materials, for its heat; None where they are not known or nobody has their enthalpy."""
    if len(mix.materials) < 2:
        return None  # a single material brings its own
    from ..reference.thermochemistry import thermochemistry
    from ..simulate.kinetics.mineralogy import mineralogy_of

    try:
        phases = mineralogy_of(mix.materials).phases
    except WastelabError:
        return None
    return dict(phases) if all(p in thermochemistry() for p in phases) else None


def _frame(data: xr.Dataset) -> Any:
    """Minerals [wt% of the product] over temperature, without those that never are."""
    import pandas as pd

    share = 100.0 * data["mineral_fraction"]
    share = share.sel(mineral=(share > 0).any("temperature").values)
    frame = pd.DataFrame(
        share.transpose("temperature", "mineral").values,
        pd.Index(data["temperature"].values, name="temperature_degC"),
        [f"{m}_wt%" for m in share["mineral"].values],
    )
    if "set_aside" in data:
        frame["set_aside_wt%_of_dry_mix"] = 100.0 * data["set_aside"].sum("oxide_aside").values
    for gas in data["gas"].values:
        frame[f"{gas}_released_wt%_of_dry_mix"] = 100.0 * data["gas_released"].sel(gas=gas).values
    frame["mass_loss_wt%_of_dry_mix"] = 100.0 * data["mass_loss"].values
    for name in _HEATS:
        if name in data:
            frame[f"{name}_kJ_kg"] = data[name].values
    return frame


def _sigma(data: xr.Dataset) -> dict[str, list[list[float]]]:
    """Standard deviation [wt% of the product] and probability of the phases, where drawn."""
    if "phase_fraction_sigma" not in data:
        return {}
    out = {}
    solid = (1.0 - data["mass_loss"]).values
    for phase in data["phase"].values:
        sigma = 100.0 * data["phase_fraction_sigma"].sel(phase=phase).values / solid
        chance = data["probability_present"].sel(phase=phase).values
        if chance.max() > 0:
            out[str(phase)] = [sigma.tolist(), chance.tolist()]
    return out


def _body(mix: Mix, data: xr.Dataset) -> dict[str, Any]:
    share = data["mineral_fraction"]
    there = [str(m) for m in share["mineral"].values if float(share.sel(mineral=m).max()) > 0]
    body: dict[str, Any] = {
        "mix": mix.as_json(),
        "temperature_degC": data["temperature"].values,
        "minerals": {
            m: {
                "name": phase_title(m, "en"), "name_zh": phase_title(m, "zh"),
                "wt_percent_of_product": 100.0 * share.sel(mineral=m).values,
            }
            for m in there
        },
        "solutions": {
            str(s): data["solution_composition"].sel(solution=s).values
            for s in (data["solution"].values if "solution" in data.coords else ())
        },
        "gas_released_wt_percent": {str(g): 100.0 * data["gas_released"].sel(gas=g).values for g in data["gas"].values},
        "mass_loss_wt_percent": 100.0 * data["mass_loss"].values,
        "heat_kJ_kg": {name: data[name].values for name in (*_HEATS, "enthalpy") if name in data},
        "set_aside_wt_percent": {
            str(o): 100.0 * float(data["set_aside"].sel(oxide_aside=o).max())
            for o in (data["oxide_aside"].values if "set_aside" in data else ())
        },
        "atmosphere": json.loads(data.attrs["atmosphere"]) if data.attrs.get("atmosphere") else None,
        "suppressed": json.loads(data.attrs["suppressed"]),
        "absent_phases": json.loads(data.attrs["absent_phases"]),
        "warnings": lines(data.attrs, "warnings"),
        "assumptions": lines(data.attrs, "assumptions"),
        "notes": mix.notes,
        "evidence": data.attrs["evidence"],
    }  # fmt: skip
    spread = _sigma(data)
    if spread:
        body["phases"] = {
            p: {"sigma_wt_percent_of_product": s, "probability_present": c} for p, (s, c) in spread.items()
        }
    return body


def _show(out: Console, mix: Mix, data: xr.Dataset, lang: str) -> None:
    out.print(mix.label, markup=False)
    if data.attrs.get("atmosphere"):
        gas = json.loads(data.attrs["atmosphere"])
        out.print(
            f"{tr('calcination.gas', lang)}: {gas['name']} ("
            + ", ".join(f"{k} {v:.4g} bar" for k, v in gas["pressures_bar"].items() if v > 0) + ")",
            markup=False,
        )  # fmt: skip
    celsius = [f"{t:g} °C" for t in data["temperature"].values]
    picked = list(range(len(celsius)))
    if len(celsius) > 8:  # a person reads eight columns; files and JSON have all
        picked = sorted({round(k * (len(celsius) - 1) / 7) for k in range(8)})
    share = data["mineral_fraction"]
    order = sorted(share["mineral"].values, key=lambda m: -float(share.sel(mineral=m).max()))
    rows = []
    for m in order:
        values = share.sel(mineral=m).values
        if values.max() > SHOWN and m != "set_aside":  # told below, with its oxides
            cells = (f"{100 * values[k]:.2f}" if values[k] > SHOWN / 10 else "·" for k in picked)
            rows.append([str(m), phase_title(str(m), lang), *cells])
    if "set_aside" in data:
        solid = (1.0 - data["mass_loss"]).values
        aside = data["set_aside"].sum("oxide_aside").values / solid
        names = ", ".join(str(o) for o in data["oxide_aside"].values)
        rows.append([tr("calcination.set_aside", lang), names, *(f"{100 * aside[k]:.2f}" for k in picked)])
    heads = ["", "", *(celsius[k] for k in picked)]
    table(out, tr("calcination.minerals", lang), heads, rows, left=2)
    spread = _sigma(data)
    if spread:
        _show_spread(out, spread, celsius, picked, lang)
    rows = []
    for gas in data["gas"].values:
        values = data["gas_released"].sel(gas=gas).values
        if abs(values).max() > 1e-6:
            name = tr("calcination.gas_unspecified", lang) if gas == "unspecified" else str(gas)
            rows.append([name, "wt%", *(f"{100 * values[k]:.3f}" for k in picked)])
    loss = data["mass_loss"].values
    rows.append([tr("calcination.mass_loss", lang), "wt%", *(f"{100 * loss[k]:.3f}" for k in picked)])
    for name in _HEATS:
        if name in data:
            values = data[name].values
            rows.append([tr(f"calcination.{name}", lang), "kJ/kg", *(f"{values[k]:.0f}" for k in picked)])
    table(out, tr("calcination.per_dry", lang), heads, rows, left=2)


def _show_spread(out: Console, spread: Mapping[str, Any], celsius: list[str], picked: Any, lang: str) -> None:
    rows = []
    for phase, (sigma, chance) in spread.items():
        if max(chance) > 0.02:
            cells = (f"± {sigma[k]:.2f} ({100 * chance[k]:.0f} %)" for k in picked)
            rows.append([phase, phase_title(phase, lang), *cells])
    table(out, tr("calcination.spread", lang), ["", "", *(celsius[k] for k in picked)], rows, left=2)


@click.command("phase-diagram")
@click.argument("corners", nargs=3)
@click.option("--at", "at", default="1250 degC", show_default=True, help="Temperature with unit.")
@click.option("--gas", help="Furnace gas, as for `wastelab equilibrium`; air if absent.")
@click.option("--fixed", multiple=True, help="Oxide that is the same everywhere, e.g. Fe2O3=8 (wt%, repeatable).")
@click.option("--step", default="1 %", show_default=True, help="Distance of the points along an edge.")
@click.option("--suppress", multiple=True, help="Phase, symbol or preset left out (repeatable).")
@click.option("--allow", multiple=True, help="Metastable phase let in (repeatable).")
@click.option("--phases", "tables", multiple=True, type=click.Path(path_type=Path), help="Phases of your own (CSV).")
@click.option("--mark", multiple=True, help="Mix to mark: a material, or 'NAME:CaO=64,SiO2=22,Al2O3=6' (repeatable).")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for figure, CSV and netCDF.")
@click.option("--lab", "lab_dir", envvar="WASTELAB_LAB", help="Laboratory of materials 'lab:CODE'.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of the tables.")
def phase_diagram(
    corners: tuple[str, str, str],
    at: str,
    gas: str | None,
    fixed: tuple[str, ...],
    step: str,
    suppress: tuple[str, ...],
    allow: tuple[str, ...],
    tables: tuple[Path, ...],
    mark: tuple[str, ...],
    out: Path | None,
    lab_dir: str | None,
    as_json: bool,
    lang: str | None,
) -> int:
    """Fields of minerals over the triangle of three oxides (CORNERS: left, right, top) at one temperature.

    \b
    Example:  wastelab phase-diagram CaO SiO2 Al2O3 --at "1500 degC" --out out/diagram
    Example:  wastelab phase-diagram CaO SiO2 Al2O3 --gas rotary_kiln --fixed Fe2O3=8 --fixed SO3=8
              --mark red_mud/bayer-diasporic --out out/diagram
    """
    import pandas as pd

    from ..simulate.equilibrium import phase_diagram as calculate

    language = pick_language(lang)
    check_folder(out)
    extra = read_mix(fixed, None).oxides if fixed else {}
    marks = dict(_marked(item, lab_dir) for item in mark)
    data = calculate(
        corners, at, gas_of(gas), fixed=extra or None, step=step, suppress=suppress, allow=allow,
        phases=list(tables) or None,
    )  # fmt: skip
    share = 100.0 * data["mineral_fraction"]
    frame = pd.DataFrame(data["part"].values, columns=[f"{c}_wt%" for c in corners])
    frame["field"] = data["field"].values[data["assemblage"].values]
    frame[[f"{m}_wt%_of_solid" for m in share["mineral"].values]] = share.values
    frame.index.name = "point"

    from ..plotting.phase_diagram import phase_diagram_figure

    files: dict[str, Any] = {
        "phase_diagram.png": lazily(phase_diagram_figure, data, mixes=marks), "phase_diagram.csv": frame,
        "phase_diagram.nc": drop_objects(data),
    }  # fmt: skip
    written = write_files(out, files)
    inner = (data["part"].values > 1e-9).sum(axis=1) == 3
    number = data["assemblage"].values
    area = {
        str(f): float((number[inner] == k).mean()) if inner.any() else 0.0 for k, f in enumerate(data["field"].values)
    }
    if as_json:
        print_json(
            {
                "corners": list(corners), "temperature_degC": data.attrs["temperature_degC"], "fixed_wt_percent": extra,
                "points": int(data.sizes["point"]), "fields": [{"minerals": f.split(" + "), "area": a}
                                                               for f, a in area.items()],
                "compounds_wt_percent": {
                    str(c): dict(zip(corners, data["compound_part"].sel(compound=c).values.tolist(), strict=True))
                    for c in data["compound"].values
                },
                "atmosphere_bar": json.loads(data.attrs["atmosphere"] or "{}"),
                "warnings": lines(data.attrs, "warnings"), "files": written,
            }
        )  # fmt: skip
        return 0
    view = console()
    shown = [(f, a) for f, a in sorted(area.items(), key=lambda x: -x[1]) if a > 0.002]
    rows = [
        [" + ".join(f"{m} {phase_title(m, language)}".strip() if language != "en" else m for m in f.split(" + ")),
         f"{100 * a:.1f}"]
        for f, a in shown
    ]  # fmt: skip
    table(view, str(data.attrs["title"]), [tr("calcination.field", language), tr("calcination.area", language)], rows)
    notes(view, language, lines(data.attrs, "warnings"), "", written)
    return 0


def _marked(item: str, lab_dir: str | None) -> tuple[str, dict[str, float]]:
    name, _, body = item.partition(":")
    if "=" in body:
        return name, read_mix(body.split(","), lab_dir).oxides
    from ..simulate.charge import as_charge

    mix = read_mix([item], lab_dir)
    if not mix.materials:
        raise click.UsageError(f"--mark {item!r}: give a material, or NAME:CaO=64,SiO2=22,Al2O3=6.")
    return item, {k: float(v[0]) for k, v in as_charge(mix.analysis()).oxides.items()}

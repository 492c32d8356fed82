"""``wastelab calcine``: what a temperature program does to a mix, with a measured TG beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import numpy as np

from ..errors import ValidityError
from ..i18n import pick_language, tr
from ._mix import Mix, changes_of, gas_of, minerals_wanted, mix_options, read_mix, with_minerals
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

    from ..simulate.heating import TemperatureProgram
    from ..simulate.kinetic_fit.curves import Run

#: What is less is not shown to people [wt%].
SHOWN = 0.005


@click.command()
@click.argument("parts", nargs=-1)
@click.option("--program", help="Of the furnace: '10 K/min to 1250 degC, hold 30 min'; that of --measured if absent.")
@click.option("--gas", help="Preset (rotary_kiln), pressures ('CO2=25 %, O2=3 %') or both; air if absent.")
@click.option("--phases", multiple=True, metavar="PHASE=WT%",
              help="Mineral of the dry mix, or of a material: MATERIAL:PHASE=WT% (repeatable).")  # fmt: skip
@click.option("--moisture", help="Free water of the sample as put in, e.g. '8 %'.")
@click.option(
    "--triplet",
    multiple=True,
    metavar="REACTION=LAW",
    help="Rate law of a reaction: an id of `wastelab triplets`, a triplet.csv of `wastelab fit-kinetics`, or "
    "A,Ea,MODEL as '1e10 1/s,190 kJ/mol,F1' (repeatable).",
)
@click.option("--gas-flow", help="With --sample-mass: gas that what is given off mixes with, e.g. '100 mL/min'.")
@click.option("--sample-mass", help="E.g. '20 mg'.")
@click.option("--finish", type=click.Choice(["equilibrium"]), help="Bring what is left to equilibrium at the peak.")
@click.option("--measured", type=click.Path(path_type=Path), help="TG file of an instrument to compare with.")
@click.option("--over", type=click.Choice(["temperature", "time"]), help="Axis of the figure (time if it holds).")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for CSV, netCDF and figure.")
@mix_options
def calcine(
    parts: tuple[str, ...],
    program: str | None,
    gas: str | None,
    phases: tuple[str, ...],
    moisture: str | None,
    triplet: tuple[str, ...],
    gas_flow: str | None,
    sample_mass: str | None,
    finish: str | None,
    measured: Path | None,
    over: str | None,
    out: Path | None,
    lab_dir: str | None,
    wet: bool,
    as_json: bool,
    lang: str | None,
) -> int:
    """Heat PARTS by a temperature program: mass, minerals, gas, heat.

    PARTS are materials with shares, or oxides in wt% with --phases. Minerals decide what happens: those of the
    materials' records, a norm where there is one, or --phases.

    \b
    Example:  wastelab calcine coal_gangue/kaolinitic --program "10 K/min to 750 degC, hold 60 min" --out out/gangue
    Example:  wastelab calcine --phases calcite=95 --phases quartz=5 --program "10 K/min to 1000 degC" --gas "CO2=25 %"
    """
    from ..simulate.kinetics.calcine import calcine as run
    from ..simulate.kinetics.calcine import compare

    language = pick_language(lang)
    check_folder(out)
    if not parts and not phases:
        raise click.UsageError("give the mix (materials with shares), or its minerals: --phases kaolinite=80 ...")
    mix = read_mix(parts, lab_dir, wet)
    minerals = with_minerals(mix, phases)
    curve = None if measured is None else _measured(measured)
    if program is None and curve is None:
        raise click.UsageError("give --program, e.g. '10 K/min to 1250 degC, hold 30 min', or --measured FILE.")
    asked: Any = program if program is not None or curve is None else _program_of(curve)
    laws = {k: str(v) for k, v in changes_of(triplet, "--triplet").items()}
    with minerals_wanted():
        data = run(
            mix.feed(), asked, gas_of(gas), phases=minerals, moisture=moisture, gas_flow=gas_flow,
            sample_mass=sample_mass, finish=finish, triplets=_triplets(laws) or None,
        )  # fmt: skip
    against = None
    if curve is not None:
        clock = curve.time_s - curve.time_s[0]
        try:
            against = compare(data, clock, 100.0 * curve.signal)
        except ValidityError:
            raise ValidityError(
                f"{measured}: the measurement lasts {clock[-1] / 60:.4g} min, the program "
                f"{data['time'].values[-1] / 60:.4g} min. Leave --program out to simulate the measured one."
            ) from None
    axis = over or ("time" if _holds(data) else "temperature")
    from ..plotting.calcination import tg_figure

    both = None if against is None else (against["time"].values, against["measured"].values)
    files: dict[str, Any] = {
        "calcination.csv": _frame(data), "calcination.nc": drop_objects(data),
        "tg.png": lazily(tg_figure, data, measured=both, over=axis, lang=language),
    }  # fmt: skip
    if against is not None:
        files["measured.csv"] = against.to_dataframe()
    written = write_files(out, files)
    if as_json:
        print_json({**_body(mix, data, against), "files": written})
        return 0
    view = console()
    _show(view, data, against, language)
    notes(view, language, [*mix.notes, *lines(data.attrs, "warnings")], str(data.attrs["data_evidence"]), written)
    return 0


def _measured(file: Path) -> Run:
    """The one TG curve of a file, its mass relative to the start.

    Raises
    ------
    ValidityError
        If the file holds several runs, or the mass at the start is not known.
    """
    from ..simulate.kinetic_fit.curves import read_run
    from .kinetics import read_thermal

    found = read_thermal(file)
    if len(found) != 1:
        raise ValidityError(f"{file}: holds {len(found)} curves; expected one TG run.")
    curve = read_run(found[0], signal="mass", name=file.name)
    if not curve.relative:
        raise ValidityError(f"{file}: the mass at the start is not known, only its change; give the mass in % or mg.")
    return curve


def _program_of(curve: Run) -> TemperatureProgram:
    """The measured program, thinned to what a furnace does between points of noise."""
    from ..simulate.heating import TemperatureProgram

    keep = np.unique(np.linspace(0, curve.time_s.size - 1, min(curve.time_s.size, 400)).round().astype(int))
    when, kelvin = curve.time_s[keep] - curve.time_s[0], curve.temperature_K[keep]
    return TemperatureProgram(tuple(when.tolist()), tuple(kelvin.tolist()), f"the program of {curve.name}")


def _triplets(laws: dict[str, str]) -> dict[str, Any]:
    """Rate laws: ids of triplets, a table with one, or ``A,Ea,MODEL`` with units."""
    out: dict[str, Any] = {}
    for reaction, text in laws.items():
        words = [w.strip() for w in text.split(",")]
        if text.endswith(".csv"):
            out[reaction] = _fitted(Path(text))
            continue
        if len(words) == 1:
            out[reaction] = text
            continue
        from .kinetics import law_of

        out[reaction] = law_of(words, f"--triplet {reaction}")
    return out


def _fitted(file: Path) -> Any:
    """The one triplet of a table, as `wastelab fit-kinetics --out` writes it.

    Raises
    ------
    ValidityError, DatasetError
    """
    from ..reference.kinetics import triplets

    if not file.is_file():
        raise ValidityError(f"--triplet: there is no file {file}.")
    shipped = triplets()
    own = [t for k, t in triplets(file).items() if shipped.get(k) != t]
    if len(own) != 1:
        raise ValidityError(f"--triplet {file}: holds {len(own)} triplets of its own; expected one.")
    return own[0]


def _holds(data: xr.Dataset) -> bool:
    """Whether a good part of the program does not heat, so that temperature is no axis."""
    return bool((np.diff(data["temperature"].values) < 1e-9).mean() > 0.05)


def _frame(data: xr.Dataset) -> Any:
    import pandas as pd

    columns: dict[str, Any] = {
        "time_min": data["time_min"].values, "temperature_degC": data["temperature"].values,
        "mass_%": data["mass"].values, "dtg_%/min": data["dtg"].values, "heat_flow_mW/mg": data["heat_flow"].values,
        "heat_flow_reaction_mW/mg": data["heat_flow_reaction"].values, "heat_kJ_kg": data["heat"].values,
    }  # fmt: skip
    for r in data["reaction"].values:
        columns[f"conversion_{r}"] = data["conversion"].sel(reaction=r).values
    for p in data["phase"].values:
        columns[f"{p}_wt%_of_dry_mix"] = 100.0 * data["phase_fraction"].sel(phase=p).values
    for g in data["gas"].values:
        columns[f"{g}_released_wt%_of_dry_mix"] = 100.0 * data["gas_total"].sel(gas=g).values
    return pd.DataFrame(columns).set_index("time_min")


def _steps(data: xr.Dataset) -> list[dict[str, Any]]:
    """Each reaction that ran: what it lost, how far it came, and when it was half there."""
    out = []
    celsius = data["temperature"].values
    for r in data["reaction"].values:
        conversion, loss = data["conversion"].sel(reaction=r).values, data["loss"].sel(reaction=r).values
        if conversion[-1] <= 0:
            continue
        extent = loss if abs(loss[-1]) > 1e-12 else conversion
        half = int(np.argmax(np.abs(extent) >= 0.5 * abs(extent[-1])))
        out.append(
            {
                "reaction": str(r), "loss_percent": float(loss[-1]), "conversion": float(conversion[-1]),
                "half_at_degC": float(celsius[half]),
            }
        )  # fmt: skip
    return out


def _final(data: xr.Dataset) -> dict[str, float]:
    """Phases at equilibrium [wt% of the product]."""
    if "final_phase_fraction" not in data:
        return {}
    values = data["final_phase_fraction"]
    total = float(values.sum())
    return {str(p): 100.0 * float(v) / total for p, v in zip(values["final_phase"].values, values.values, strict=True)}


def _body(mix: Mix, data: xr.Dataset, against: xr.Dataset | None) -> dict[str, Any]:
    return {
        "mix": mix.as_json() if mix else None,
        "mineralogy": data.attrs["mineralogy"],
        "mineralogy_kind": data.attrs["mineralogy_kind"],
        "program": data.attrs["program"],
        "atmosphere": data.attrs["atmosphere"],
        **json.loads(data.attrs["summary"]),
        "reactions": _steps(data),
        "gas_released_wt_percent": {
            str(g): 100.0 * float(data["gas_total"].sel(gas=g).values[-1]) for g in data["gas"].values
        },
        "final_phases_wt_percent_of_product": _final(data),
        "unknown_kinetics": data.attrs["unknown_kinetics"],
        "triplets": json.loads(data.attrs["triplets"]),
        "measured": None if against is None else {"rms": against.attrs["rms"], "largest": against.attrs["largest"]},
        "warnings": lines(data.attrs, "warnings"),
        "assumptions": lines(data.attrs, "assumptions"),
        "notes": mix.notes,
        "evidence": data.attrs["evidence"],
        "data_evidence": data.attrs["data_evidence"],
    }


def reaction_title(name: str, lang: str) -> str:
    """What a reaction does, in words."""
    from ..reference.kinetics import reactions

    found = reactions().get(name)
    return "" if found is None else found.name_zh if lang == "zh" and found.name_zh else found.name


def _show(out: Console, data: xr.Dataset, against: xr.Dataset | None, lang: str) -> None:
    said = json.loads(data.attrs["summary"])
    out.print(tr("calcination.mineralogy", lang, text=data.attrs["mineralogy"]), markup=False)
    out.print(f"{tr('calcination.gas', lang)}: {data.attrs['atmosphere']}", markup=False)
    phases = sorted(said["phases_wt_percent_of_product"].items(), key=lambda item: -item[1])
    rows = [[p, phase_title(p, lang), f"{x:.2f}"] for p, x in phases if x > SHOWN]
    table(
        out, tr("calcination.end_state", lang, program=data.attrs["program"]),
        [tr("calcination.phase", lang), "", tr("calcination.wt_product", lang)], rows, left=2,
    )  # fmt: skip
    rows = [
        [s["reaction"], reaction_title(s["reaction"], lang), f"{s['loss_percent']:.3f}", f"{s['conversion']:.3f}",
         f"{s['half_at_degC']:.0f}"]
        for s in _steps(data)
    ]  # fmt: skip
    heads = [tr(f"calcination.{k}", lang) for k in ("reaction", "loss_wt", "converted", "half_at")]
    table(out, tr("calcination.losses", lang), [heads[0], "", *heads[1:]], rows, left=2)
    final = _final(data)
    if final:
        rows = [
            [p, phase_title(p, lang), f"{x:.2f}"] for p, x in sorted(final.items(), key=lambda i: -i[1]) if x > 0.05
        ]
        table(out, tr("calcination.finish", lang), [tr("calcination.phase", lang), "", "wt%"], rows, left=2)
    out.print(tr("calcination.mass_left", lang, value=f"{said['mass_left_percent']:.3f}"))
    held = said["loss_left_wt_percent_of_product"]
    out.print(
        tr(
            "calcination.still_held",
            lang,
            water=f"{held['H2O']:.3f}",
            co2=f"{held['CO2']:.3f}",
            carbon=f"{held['C']:.3f}",
        )
    )
    if "kaolinite_dehydroxylated" in said:
        made, over = (100 * said[k] for k in ("kaolinite_dehydroxylated", "metakaolinite_overcalcined"))
        out.print(tr("calcination.metakaolinite", lang, made=f"{made:.1f}", over=f"{over:.1f}"))
    heat = {"all": f"{said['heat_kJ_kg']:.0f}", "reactions": f"{said['heat_reaction_kJ_kg']:.0f}"}
    out.print(tr("calcination.heat_of_run", lang, **heat))
    if against is not None:
        worst = {k: f"{against.attrs[k]:.2f}" for k in ("rms", "largest")}
        out.print(tr("calcination.against_measured", lang, **worst))

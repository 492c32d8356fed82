"""``wastelab kiln``: a mix in a muffle furnace, a flash calciner or a rotary kiln, with heat balance, fuel and CO2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

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

    from ..simulate.kiln import Preset

#: Options that only one kind of equipment has.
_OF_KIND = {
    "rotary": ("target", "fuel_rate", "conversion", "fuel", "clinker", "suppress", "cells"),
    "flash": ("conversion", "fuel", "d50", "spread", "blaine", "size", "moisture"),
    "muffle": ("program", "gas", "moisture"),
}


#: Of which one must be typed, and how.
_GOALS = {
    "rotary": (
        ("target", "fuel_rate", "conversion"),
        "one of --target '1450 degC' (highest bed temperature), --fuel-rate 0.12 (kg per kg dry feed) or --conversion "
        "calcite=95%",
    ),
    "flash": (
        ("d50", "blaine", "size"),
        "the grain size once: --d50 '20 um', --blaine '350 m2/kg' or --size '5 um=100%'",
    ),
    "muffle": (("program",), "--program '10 K/min to 800 degC, hold 2 h'"),
}


@click.command()
@click.argument("parts", nargs=-1)
@click.option("--equipment", default="rotary_kiln_dry_preheater", show_default=True, help="Preset; see --list.")
@click.option("--list", "show", is_flag=True, help="List the presets; with --equipment NAME its values and sources.")
@click.option("--phases", multiple=True, metavar="PHASE=WT%",
              help="Mineral of the dry feed, or of a material: MATERIAL:PHASE=WT% (repeatable).")  # fmt: skip
@click.option("--target", help="Rotary: highest bed temperature, which fuel is found for, e.g. '1450 degC'.")
@click.option("--fuel-rate", type=float, help="Rotary, instead: kg fuel per kg dry feed.")
@click.option("--conversion", metavar="REACTION=SHARE", help="Rotary or flash, instead: e.g. calcite=95%.")
@click.option("--fuel", help="Fuel of datasets/equipment/fuels.toml.")
@click.option("--clinker", metavar="TEMPERATURE|no",
              help="Rotary: 'no' leaves lime free; with --fuel-rate the burning temperature, '1450 degC'.")  # fmt: skip
@click.option("--suppress", multiple=True, help="Rotary: phases that clinker shall not form (repeatable).")
@click.option("--cells", type=click.IntRange(10, 5000), help="Rotary: cells along the kiln.")
@click.option("--program", help="Muffle: '10 K/min to 800 degC, hold 2 h'.")
@click.option("--gas", help="Muffle: gas at the sample; that of the preset if absent.")
@click.option("--moisture", help="Free water, share of the moist mass, e.g. '8 %'.")
@click.option("--d50", help="Flash: median grain size, e.g. '20 um'.")
@click.option("--spread", type=float, help="Flash: slope of the Rosin-Rammler distribution.  [default: 1]")
@click.option("--blaine", help="Flash, instead: specific surface, e.g. '350 m2/kg'.")
@click.option("--size", multiple=True, metavar="DIAMETER=SHARE", help="Flash, instead: '5 um=30%' (repeatable).")
@click.option("--set", "changed", multiple=True, metavar="NAME=VALUE",
              help="A value of the preset, with unit: 'length=45 m', excess_air=0.15 (repeatable).")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for CSV, netCDF and figure.")
@mix_options
def kiln(
    parts: tuple[str, ...],
    equipment: str,
    show: bool,
    phases: tuple[str, ...],
    out: Path | None,
    changed: tuple[str, ...],
    lab_dir: str | None,
    wet: bool,
    as_json: bool,
    lang: str | None,
    **given: Any,
) -> int:
    """Heat PARTS in an equipment: product, fuel, heat balance, CO2.

    PARTS are materials with shares; or give the minerals of the feed by --phases.

    \b
    Example:  wastelab kiln --phases calcite=77 --phases kaolinite=10 --phases quartz=10 --phases hematite=3
              --target "1450 degC" --out out/kiln
    Example:  wastelab kiln coal_gangue/kaolinitic --equipment flash_calciner --d50 "30 um" --conversion kaolinite=95%
    Example:  wastelab kiln coal_gangue/kaolinitic --equipment muffle_lab --program "10 K/min to 750 degC, hold 2 h"
    """
    from ..simulate.kiln import kiln as run
    from ..simulate.kiln import preset

    language = pick_language(lang)
    if show:
        named = click.get_current_context().get_parameter_source("equipment") == click.core.ParameterSource.COMMANDLINE
        return _list(preset(equipment) if named else None, as_json, language)
    check_folder(out)
    chosen = preset(equipment)
    options = _options(chosen, given)
    if not parts and not phases:
        raise click.UsageError("give the feed (materials with shares), or its minerals: --phases calcite=77 ...")
    mix = read_mix(parts, lab_dir, wet)
    minerals = with_minerals(mix, phases)
    changes = changes_of(changed, "--set")
    _known(changes)
    with minerals_wanted():
        data = run(mix.feed(), equipment, phases=minerals, **options, **changes)
    from ..plotting.calcination import furnace_figure
    from ..plotting.kiln import kiln_profile

    figure = lazily(kiln_profile, data) if chosen.kind == "rotary" else lazily(furnace_figure, data, lang=language)
    files: dict[str, Any] = {
        "kiln.nc": drop_objects(data), "profile.csv": _profile(data), "heat_balance.csv": _balance(data),
        "kiln.png": figure,
    }  # fmt: skip
    written = write_files(out, files)
    if as_json:
        print_json({**_body(mix, chosen, data), "files": written})
        return 0
    view = console()
    _show(view, chosen, data, language)
    notes(view, language, [*mix.notes, *lines(data.attrs, "warnings")], str(data.attrs["data_evidence"]), written)
    return 0


def _known(changes: dict[str, Any]) -> None:
    """Refuse a value that no preset has, before it is taken for something else."""
    from ..errors import UnknownNameError, suggest
    from ..simulate.kiln.equipment import VALUES

    for name in changes:
        if name not in VALUES:
            raise UnknownNameError(f"--set {name}: there is no such value.{suggest(name, VALUES)} See --list.")


def _options(chosen: Preset, given: dict[str, Any]) -> dict[str, Any]:
    """What was typed for this kind of equipment, as its model takes it.

    Raises
    ------
    click.UsageError
        For an option that belongs to another kind.
    """
    kind, typed = chosen.kind, {k: v for k, v in given.items() if v is not None and v != ()}
    for name in typed:
        if name not in _OF_KIND[kind]:
            fits = " or ".join(k for k, names in _OF_KIND.items() if name in names)
            raise click.UsageError(f"--{name.replace('_', '-')} is for {fits} equipment; {chosen.id} is {kind}.")
    goals = [k for k in _GOALS[kind][0] if k in typed]
    if len(goals) != 1:
        raise click.UsageError(f"{chosen.id}: give {_GOALS[kind][1]}.")
    if "conversion" in typed:
        named = changes_of([typed["conversion"]], "--conversion")
        (reaction, share), *_ = named.items()
        from ..units import parse

        typed["conversion"] = (
            reaction,
            parse(share, "kg/kg", what="--conversion") if isinstance(share, str) else share,
        )
    if typed.get("clinker") == "no":
        typed["clinker"] = False
    if "gas" in typed:
        typed["atmosphere"] = gas_of(typed.pop("gas"))
    if "size" in typed:
        from ..units import parse

        sizes = changes_of(typed.pop("size"), "--size")
        typed["sizes"] = {k: parse(v, "kg/kg", what="--size") if isinstance(v, str) else v for k, v in sizes.items()}
    return typed


def _list(chosen: Preset | None, as_json: bool, lang: str) -> int:
    from ..simulate.kiln import presets
    from ..simulate.kiln.equipment import VALUES

    known = presets()
    if as_json:
        picked = known.values() if chosen is None else [chosen]
        print_json(
            {
                "equipment": {
                    p.id: {
                        "name": p.name, "name_zh": p.name_zh, "kind": p.kind, "note": p.note,
                        "atmosphere": p.atmosphere, "evidence": str(p.evidence),
                        "values": {k: {"value": v, "unit": VALUES[k][0], "source": str(p.sources[k])}
                                   for k, v in p.values.items()},
                    }
                    for p in picked
                }
            }
        )  # fmt: skip
        return 0
    view = console()
    said = {
        k: tr(f"calcination.{k}", lang) for k in ("equipment", "kind", "source", "value", "unit", "quantity", "name")
    }
    if chosen is None:
        rows = [
            [
                p.id, p.kind, p.name_zh if lang == "zh" else p.name,
                "\n".join(dict.fromkeys(str(s) for s in p.sources.values())),
            ]
            for p in known.values()
        ]  # fmt: skip
        table(view, "", [said["equipment"], said["kind"], said["name"], said["source"]], rows, left=4)
        return 0
    rows = [
        [k, f"{v:.6g}", VALUES[k][0].replace("kelvin", "K"), str(chosen.sources[k])] for k, v in chosen.values.items()
    ]
    title = f"{chosen.id}: {chosen.name_zh if lang == 'zh' else chosen.name}"
    table(view, title, [said["quantity"], said["value"], said["unit"], said["source"]], rows, last_left=True)
    if chosen.note:
        view.print(chosen.note, markup=False)
    return 0


def _scalars(data: xr.Dataset) -> dict[str, tuple[float, str]]:
    out = {str(n): (float(v.values), str(v.attrs.get("units", ""))) for n, v in data.data_vars.items() if v.ndim == 0}
    if "sample_temperature" in data:
        out["mass_left"] = (100.0 * float(data["mass"].values[-1]), "%")
        out["peak_sample_temperature"] = (float(data["sample_temperature"].max()), "degC")
        out["heat_taken_up"] = (float(data["heat_taken_up"].values[-1]), str(data["heat_taken_up"].attrs["units"]))
    return out


def _product(data: xr.Dataset) -> dict[str, float]:
    """Phases of what comes out [wt%]."""
    values = data["product_fraction"] if "product_fraction" in data else data["phase_fraction"].isel(time=-1)
    found = {str(p): 100.0 * float(v) for p, v in zip(data["phase"].values, values.values, strict=True)}
    total = sum(found.values())
    return {p: 100.0 * v / total for p, v in found.items() if v > 1e-9}


def _conversion(data: xr.Dataset) -> dict[str, float]:
    end = data["outlet_conversion"] if "outlet_conversion" in data else data["conversion"][-1]
    return {str(r): float(v) for r, v in zip(data["reaction"].values, end.values, strict=True)}


def _profile(data: xr.Dataset) -> Any:
    """Everything that lies along the kiln, or over time, in one table."""
    import pandas as pd

    along = "z" if "z" in data.dims else "time"
    columns = {}
    for name, v in data.data_vars.items():
        unit = str(v.attrs.get("units", ""))
        if v.dims == (along,):
            columns[f"{name} [{unit}]"] = v.values
        elif len(v.dims) == 2 and v.dims[0] == along:
            for k, item in enumerate(data[v.dims[1]].values):
                columns[f"{name} {item} [{unit}]"] = v.values[:, k]
    return pd.DataFrame(columns, index=pd.Index(data[along].values, name=f"{along} [{data[along].attrs['units']}]"))


def _balance(data: xr.Dataset) -> Any:
    frame = data["heat_balance"].to_dataframe()
    frame.columns = [f"heat_balance [{data['heat_balance'].attrs['units']}]"]
    return frame


def _body(mix: Mix, chosen: Preset, data: xr.Dataset) -> dict[str, Any]:
    return {
        "mix": mix.as_json() if mix else None,
        "equipment": chosen.id,
        "kind": chosen.kind,
        "values": {k: {"value": v, "unit": u} for k, (v, u) in _scalars(data).items()},
        "product_wt_percent": _product(data),
        "conversion": _conversion(data),
        "heat_balance": {
            "unit": data["heat_balance"].attrs["units"],
            **{str(i): float(v) for i, v in zip(data["item"].values, data["heat_balance"].values, strict=True)},
        },
        "warnings": lines(data.attrs, "warnings"),
        "assumptions": lines(data.attrs, "assumptions"),
        "notes": mix.notes,
        "evidence": data.attrs["evidence"],
        "data_evidence": data.attrs["data_evidence"],
        "sources": lines(data.attrs, "sources"),
    }


def _item(name: str, lang: str) -> str:
    try:
        return tr(f"heat_item.{name}", lang)
    except KeyError:
        return name


def _quantity(name: str, lang: str) -> str:
    try:
        return tr(f"kiln_value.{name}", lang)
    except KeyError:
        return name.replace("_", " ")


def _show(out: Console, chosen: Preset, data: xr.Dataset, lang: str) -> None:
    out.print(f"{tr('calcination.equipment', lang)}: {chosen.name_zh if lang == 'zh' else chosen.name}", markup=False)
    said = {k: tr(f"calcination.{k}", lang) for k in ("phase", "quantity", "value", "unit", "reaction", "converted")}
    hidden = ("heat_closure_error", "element_closure_error", "iterations")
    rows = [
        [_quantity(name, lang), f"{value:.4g}", unit if unit != "1" else ""]
        for name, (value, unit) in _scalars(data).items() if name not in hidden
    ]  # fmt: skip
    table(out, tr("calcination.rates", lang), [said["quantity"], said["value"], said["unit"]], rows)
    unit = str(data["heat_balance"].attrs["units"])
    rows = [
        [_item(str(i), lang), f"{v:.1f}"]
        for i, v in zip(data["item"].values, data["heat_balance"].values, strict=True) if abs(v) > 5e-2
    ]  # fmt: skip
    table(out, f"{tr('calcination.heat_item', lang)}, {tr('calcination.item_of_balance', lang)}", ["", unit], rows)
    rows = [
        [p, phase_title(p, lang), f"{x:.2f}"]
        for p, x in sorted(_product(data).items(), key=lambda i: -i[1])
        if x > 5e-3
    ]
    table(out, tr("calcination.product", lang), [said["phase"], "", "wt%"], rows, left=2)
    rows = [[r, f"{x:.4f}"] for r, x in _conversion(data).items()]
    table(out, "", [said["reaction"], said["converted"]], rows)

"""``wastelab gypsum-phases`` and ``wastelab liquid``: phases of a plaster from weighings, melt of Portland clinker."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ..i18n import pick_language, tr
from ..units import parse
from ._mix import mix_options, read_mix
from ._results import console, lines, notes, phase_title, print_json, table

if TYPE_CHECKING:
    import xarray as xr


@click.command("gypsum-phases")
@click.option(
    "--first-gain", required=True, help="Mass change after soluble anhydrite took up water, dried, e.g. '0.3 %'."
)
@click.option("--full-gain", required=True, help="Mass change after complete hydration, dried at 40 to 45 degC.")
@click.option("--loss", required=True, help="Loss at 230 degC of the sample as it is.")
@click.option("--sulfate", help="SO3 in all; gives anhydrite II.")
@click.option("--sigma", default="0.05 %", show_default=True, help="Standard uncertainty of each mass change.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of the table.")
def gypsum_phases(
    first_gain: str, full_gain: str, loss: str, sulfate: str | None, sigma: str, as_json: bool, lang: str | None
) -> int:
    """Phases of a building gypsum from three weighings (and SO3), in percent of the sample as it is.

    \b
    Example:  wastelab gypsum-phases --first-gain "0.26 %" --full-gain "15.9 %" --loss "5.95 %" --sulfate "51 %"
    """
    from ..simulate.gypsum import phase_analysis

    language = pick_language(lang)
    typed = {"--first-gain": first_gain, "--full-gain": full_gain, "--loss": loss, "--sigma": sigma}
    value = {name: parse(text, "%", what=name) for name, text in typed.items()}
    so3 = None if sulfate is None else parse(sulfate, "%", what="--sulfate")
    data = phase_analysis(
        value["--first-gain"], value["--full-gain"], value["--loss"], sulfate=so3, sigma=value["--sigma"]
    )
    return _answer(data, "phase", "content", as_json, language)


@click.command()
@click.argument("parts", nargs=-1, required=True)
@mix_options
def liquid(
    parts: tuple[str, ...], lab_dir: str | None, wet: bool, as_json: bool, lang: str | None
) -> int:  # fmt: skip
    """Liquid of an ordinary Portland clinker of PARTS at 1338, 1400 and 1450 degC (Lea and Parker).

    \b
    Example:  wastelab liquid CaO=66.6 SiO2=21.5 Al2O3=5.2 Fe2O3=2.8 MgO=1 Na2O=0.2 K2O=0.6 SO3=1
    """
    from ..simulate.sintering import lea_parker_liquid

    mix = read_mix(parts, lab_dir, wet)
    data = lea_parker_liquid(mix.analysis()).isel(mix=0)
    data.attrs["warnings"] = "\n".join([*mix.notes, *lines(data.attrs, "warnings")])
    return _answer(data, "temperature", "liquid", as_json, pick_language(lang))


def _answer(data: xr.Dataset, over: str, name: str, as_json: bool, lang: str) -> int:
    """One row for each entry of a coordinate, and the single values after it."""
    spread = f"{name}_sigma" if f"{name}_sigma" in data else "sigma" if "sigma" in data else ""
    singles = {
        str(k): {"value": float(v.values), "unit": str(v.attrs.get("units", ""))}
        for k, v in data.data_vars.items() if v.ndim == 0 and v.dtype.kind in "fi"
    }  # fmt: skip
    rows = [
        {over: label, name: float(value), **({"sigma": float(data[spread].values[k])} if spread else {})}
        for k, (label, value) in enumerate(zip(data[over].values.tolist(), data[name].values, strict=True))
    ]
    if as_json:
        print_json(
            {
                f"{over}s": rows, "unit": str(data[name].attrs["units"]), "values": singles,
                "warnings": lines(data.attrs, "warnings"), "assumptions": lines(data.attrs, "assumptions"),
                "evidence": data.attrs["evidence"], "source": lines(data.attrs, "source"),
            }
        )  # fmt: skip
        return 0
    out, unit = console(), str(data[name].attrs["units"])
    body = []
    for row in rows:
        label = f"{row[over]:g} °C" if over == "temperature" else str(row[over])
        title = phase_title(label, lang)
        known = row[name] == row[name]
        sigma = f"± {row['sigma']:.2g}" if spread and row["sigma"] == row["sigma"] else ""
        body.append([label, title if title != label else "", f"{row[name]:.2f}" if known else "?", sigma])
    table(out, str(data.attrs["title"]), [tr(f"calcination.{over}", lang), "", unit, ""], body, left=2)
    for key, single in singles.items():
        out.print(f"{data[key].attrs.get('long_name', key)}: {single['value']:.4g} {single['unit']}", markup=False)
    notes(out, lang, lines(data.attrs, "warnings"), str(data.attrs["evidence"]), {})
    return 0

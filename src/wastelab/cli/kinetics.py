"""``wastelab fit-kinetics`` and ``wastelab triplets``: rate laws from measured curves, audit of published ones."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from ..errors import MissingDataError, UnitError, ValidityError
from ..i18n import pick_language, tr
from ..units import parse
from ._results import check_folder, console, lazily, notes, print_json, table, write_files

if TYPE_CHECKING:
    from ..simulate.kinetic_fit import KineticFit

_PLOTS = ("summary", "curves", "energies", "residuals", "master")


@click.command("fit-kinetics")
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--window", help="First and last temperature of the step: '350 degC..700 degC'.")
@click.option("--step", help="Instead of a window: which step of each curve ('1', '2', 'largest').")
@click.option("--reaction", default="", help="Reaction or process that it is, e.g. kaolinite.")
@click.option("--signal", type=click.Choice(["auto", "mass", "dsc"]), default="auto", show_default=True,
              help="What conversion is taken from.")  # fmt: skip
@click.option("--model", "models", multiple=True, help="Only these reaction models, e.g. F1 (repeatable).")
@click.option("--interval", type=click.Choice(["t", "profile", "bootstrap"]), default="t", show_default=True,
              help="How intervals of the best model are found.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the bootstrap.")
@click.option("--force", is_flag=True, help="Fit models to a single heating rate all the same.")
@click.option("--lab", "lab_dir", envvar="WASTELAB_LAB", help="Laboratory that --sample is in.")
@click.option("--sample", help="Take all TG curves of this sample of the laboratory.")
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Folder for report, tables and figures.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of the report.")
def fit_kinetics(
    files: tuple[Path, ...],
    window: str | None,
    step: str | None,
    reaction: str,
    signal: str,
    models: tuple[str, ...],
    interval: Literal["t", "profile", "bootstrap"],
    seed: int,
    force: bool,
    lab_dir: str | None,
    sample: str | None,
    out: Path | None,
    as_json: bool,
    lang: str | None,
) -> int:
    """Fit the kinetics of one step to TG or DSC curves at three or more heating rates.

    FILES are instrument files (`wastelab formats`); or --lab DIR --sample CODE takes the curves of a sample. Exit
    code 1: fitted, but a severe doubt stands against it.

    \b
    Example:  wastelab fit-kinetics run05.csv run10.csv run20.csv --window "350 degC..700 degC" --out out/fit
    Example:  wastelab fit-kinetics --lab mylab --sample CG-YQ-01 --step largest --lang zh
    """
    from ..simulate.kinetic_fit import fit_kinetics as fit_curves
    from ..simulate.kinetic_fit.model_fit import ALL

    language = pick_language(lang)
    check_folder(out)
    if bool(files) == bool(sample):
        raise click.UsageError("give FILES, or --sample CODE of a laboratory (--lab DIR).")
    names, curves = _from_lab(lab_dir, str(sample)) if sample else _from_files(files, signal)
    bounds = None
    if window is not None:
        low, dots, high = window.partition("..")
        if not dots:
            raise click.UsageError(f"--window {window!r} is not FIRST..LAST, e.g. '350 degC..700 degC'.")
        bounds = (low.strip(), high.strip())
    number: int | str | None = int(step) if step is not None and step.isdecimal() else step
    fit = fit_curves(
        curves, signal=signal, names=names, window=bounds, step=number, models=models or ALL, interval=interval,
        seed=seed, force=force,
    )  # fmt: skip
    report = fit.report(lang="zh" if language == "zh" else "en")
    content: dict[str, Any] = {
        "report.txt": report, "kinetic_fit.nc": fit.to_dataset, "models.csv": lambda: fit.models,
    }  # fmt: skip
    if fit.fits:
        content["triplet.csv"] = lambda: _row(fit, reaction)
    if fit.energies:
        content["energies.csv"] = lambda: fit.ea[["Ea", "Ea_se", "Ea_low", "Ea_high"]].to_dataframe()
    content |= {f"{kind}.png": lazily(fit.plot, kind, lang=language) for kind in _plots(fit)}
    written = write_files(out, content)
    severe = [w for w in fit.warnings if w.severity == "severe"]
    if as_json:
        print_json({**_body(fit, reaction), "files": written})
    else:
        click.echo(report, nl=False)
        notes(console(), language, (), "", written)
    return 1 if severe else 0


def _from_files(files: tuple[Path, ...], signal: str) -> tuple[list[str], list[Any]]:
    names: list[str] = []
    curves: list[Any] = []
    for file in files:
        found = read_thermal(file)
        for number, curve in enumerate(found, 1):
            names.append(file.stem if len(found) == 1 else f"{file.stem} [{number}]")
            curves.append(curve)
    return names, curves


def read_thermal(file: Path) -> list[Any]:
    """Curves of an instrument file, or of a plain table with units in its headings (``time_min, temperature_degC``).

    Raises
    ------
    InstrumentError
        If no reader knows it and it is no such table.
    MissingDataError
        If it holds no curve.
    """
    from ..errors import InstrumentError
    from ..instruments import read_all

    try:
        found = [r.to_dataset() for r in read_all(file) if r.variables]
    except InstrumentError:
        plain = _plain_table(file)
        if plain is None:
            raise
        return [plain]
    if not found:
        plain = _plain_table(file)
        if plain is None:
            raise MissingDataError(
                f"{file}: holds no curve; expected a TG or DSC run (time, temperature, mass or heat)."
            )
        return [plain]
    return found


def _plain_table(file: Path) -> Any:
    """A CSV of columns, None if it is none with time and temperature."""
    import pandas as pd

    if file.suffix.lower() not in (".csv", ".tsv", ".txt") or not file.is_file():
        return None
    try:
        frame = pd.read_csv(file, sep=None, engine="python", encoding="utf-8-sig")
    except (ValueError, OSError):  # what is no table is the instruments' to refuse
        return None
    heads = [str(c).strip().lower() for c in frame.columns]
    if any(h.startswith("time") for h in heads) and any("temp" in h for h in heads):
        return frame.rename(columns=lambda c: str(c).strip())
    return None


def _from_lab(lab_dir: str | None, sample: str) -> tuple[list[str], list[Any]]:
    """All TG curves of a sample that count."""
    if not lab_dir:
        raise click.UsageError("--sample is in a laboratory; say in which: --lab DIR (or WASTELAB_LAB).")
    from ..lab import open_lab

    with open_lab(lab_dir) as lab:
        known = lab.measurements(sample=sample, technique="TG").reset_index()
        names: list[str] = []
        curves: list[Any] = []
        for row in known.to_dict("records"):
            curve = lab.curve(sample, "TG", uid=str(row["measurement"]))
            if curve.sizes:
                names.append(f"{sample} #{row.get('replicate', len(names) + 1)}")
                curves.append(curve.load())
    if not curves:
        raise MissingDataError(
            f"{sample} has no TG curve in {lab_dir}; `wastelab show {sample}` lists what was measured."
        )
    return names, curves


def _plots(fit: KineticFit) -> list[str]:
    """Figures that this fit can fill."""
    return ["summary", *(["energies"] if fit.energies else []), *(["curves", "residuals"] if fit.fits else [])]


def _row(fit: KineticFit, reaction: str) -> Any:
    """The triplet as a row of ``datasets/kinetics/triplets.csv``."""
    import pandas as pd

    t = _triplet(fit, reaction)
    row = {
        "id": t.id, "process": t.process, "reaction": t.reaction, "A_1_s": t.A, "Ea_kJ_mol": t.Ea / 1e3,
        "model": t.model, "T_low_K": t.T_low, "T_high_K": t.T_high, "default": "yes" if t.default else "no",
        "source": t.source.text, "evidence": str(t.source.evidence), "licence": "own measurement", "note": t.note,
    }  # fmt: skip
    return pd.DataFrame([row]).set_index("id")


def _triplet(fit: KineticFit, reaction: str) -> Any:
    name = reaction or "step"
    return fit.triplet(id=f"{name}/fitted", process=reaction, reaction=reaction)


def _body(fit: KineticFit, reaction: str) -> dict[str, Any]:
    return {
        "runs": [
            {"name": c.name, "heating_rate_K_min": 60 * c.beta, "peak_degC": c.peak_K - 273.15,
             "window_degC": [v - 273.15 for v in c.window_K],
             "change_percent": None if c.change is None else 100 * c.change}
            for c in fit.conversions
        ],
        "energies_kJ_mol": {m: {"mean": float(e.Ea.mean()) / 1e3, "low": float(e.Ea.min()) / 1e3,
                                "high": float(e.Ea.max()) / 1e3} for m, e in fit.energies.items()},
        "kissinger_kJ_mol": None if fit.kissinger is None else fit.kissinger.Ea / 1e3,
        "models": fit.models.to_dict("records"),
        **(_audited(fit, reaction) if fit.fits else {"triplet": None, "audit": None}),
        "findings": [{"code": w.code, "severity": w.severity, "text": w.text, "text_zh": w.text_zh}
                     for w in fit.warnings],
        "settings": fit.settings,
        "data_sha256": fit.input_sha256,
    }  # fmt: skip


def _audited(fit: KineticFit, reaction: str) -> dict[str, Any]:
    from ..simulate.kinetics.audit import audit_triplet

    t, audit = _triplet(fit, reaction), fit.audit()
    known = audit_triplet(t.A, t.Ea, t.model, reaction or None)
    return {
        "triplet": {"A_1_s": t.A, "Ea_kJ_mol": t.Ea / 1e3, "model": t.model, "default": t.default, "note": t.note},
        "audit": {"predicted_peak_degC": _celsius(audit.predicted_K), "measured_peak_degC": _celsius(audit.measured_K),
                  "agrees": audit.agrees, "how": audit.how, "laboratories": known.verdict, "hint": known.hint},
    }  # fmt: skip


def _celsius(kelvin: float | None) -> float | None:
    return None if kelvin is None else kelvin - 273.15


@click.command()
@click.argument("process", required=False)
@click.option("--check", nargs=3, metavar="A EA MODEL", help="Audit a triplet: '1e10 1/s' '190 kJ/mol' F1.")
@click.option("--file", "tables", multiple=True, type=click.Path(path_type=Path), help="Triplets of your own (CSV).")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of the table.")
def triplets(
    process: str | None,
    check: tuple[str, str, str] | None,
    tables: tuple[Path, ...],
    as_json: bool,
    lang: str | None,
) -> int:
    """Audit of kinetic triplets: the DTG peak each predicts at 10 K/min, and whether laboratories see one there.

    PROCESS limits the list (kaolinite, calcite ...); with --check it says which window counts. Exit code 1: the
    triplet checked is not plausible.

    \b
    Example:  wastelab triplets kaolinite
    Example:  wastelab triplets kaolinite --check "1e7 1/s" "145 kJ/mol" F1
    """
    from ..reference.kinetics import triplets as known
    from ..reference.kinetics import windows
    from ..simulate.kinetics.audit import audit, audit_triplet

    language = pick_language(lang)
    if process is not None and process not in (choices := {*windows(), *(t.process for t in known(*tables).values())}):
        from ..errors import UnknownNameError, suggest

        raise UnknownNameError(
            f"There is no process {process!r}.{suggest(process, choices)} Processes: {', '.join(sorted(choices))}."
        )
    if check:
        a, ea, model = law_of(list(check), "--check")
        found = audit_triplet(a, ea, model, process)
        if as_json:
            window = None if found.window is None else [found.window.T_low - 273.15, found.window.T_high - 273.15]
            print_json(
                {
                    "A_1_s": a, "Ea_kJ_mol": ea / 1e3, "model": model, "process": process,
                    "peak_degC": _celsius(found.peak_K), "T10_degC": _celsius(found.T10_K),
                    "T50_degC": _celsius(found.T50_K), "T90_degC": _celsius(found.T90_K), "window_degC": window,
                    "verdict": found.verdict, "hint": found.hint,
                }
            )  # fmt: skip
        else:
            click.echo(
                tr("calcination.check_peak", language, a=f"{a:g}", ea=f"{ea / 1e3:g}", model=model, text=str(found))
            )
        return 1 if found.verdict == "implausible" else 0
    chosen = [t for t in known(*tables).values() if process is None or t.process == process]
    frame = audit(chosen) if chosen else None
    if as_json:
        rows = [] if frame is None else frame.reset_index().to_dict("records")
        print_json({"triplets": [{_key(str(k)): v for k, v in row.items()} for row in rows]})
        return 0
    said = {
        k: tr(f"calcination.{k}", language)
        for k in ("triplet", "model", "peak", "window", "verdict", "default", "hint")
    }
    heads = [said["triplet"], said["model"], "A [1/s]", "Ea [kJ/mol]", *list(said.values())[2:]]
    body = []
    for name, row in [] if frame is None else frame.iterrows():
        low, high = row["window low [K]"], row["window high [K]"]
        seen = "" if low != low or low is None else f"{low - 273.15:.0f}-{high - 273.15:.0f}"
        peak = row["peak [K]"]
        body.append(
            [
                str(name), row["model"], f"{row['A [1/s]']:.3g}", f"{row['Ea [kJ/mol]']:g}",
                "" if peak is None or peak != peak else f"{peak - 273.15:.0f}", seen,
                tr(f"calcination.{str(row['verdict']).replace(' ', '_')}", language),
                tr("calcination.yes", language) if row["default"] else "", str(row["hint"]),
            ]
        )  # fmt: skip
    table(console(), "", heads, body, left=2, last_left=True)
    return 0


def _key(name: str) -> str:
    """``"Ea [kJ/mol]"`` as ``"Ea_kJ_mol"``."""
    return name.replace(" [", "_").replace("]", "").replace("/", "_").replace(" ", "_")


def law_of(words: list[str], what: str) -> tuple[float, float, str]:
    """A triplet typed with units: A [1/s], Ea [J/mol], model.

    Raises
    ------
    UnitError, UnknownNameError, ValidityError
    """
    from ..simulate.kinetics.models import reaction_model

    if len(words) != 3:
        raise ValidityError(f"{what}: expected A, Ea and a model, as in '1e10 1/s', '190 kJ/mol', F1.")
    text, energy, model = words
    try:
        a = parse(text, "1/s", what=f"{what}, A")
    except UnitError as exc:
        raise UnitError(f"{exc} A triplet read per minute and meant per second is off by 60: say which.") from None
    if not a > 0:
        raise ValidityError(f"{what}: A = {text} is not above zero.")
    ea = parse(energy, "J/mol", what=f"{what}, Ea")
    if not 1e4 <= ea <= 1e6:
        raise ValidityError(f"{what}: Ea = {energy} is outside 10 to 1000 kJ/mol.")
    return a, ea, reaction_model(model).name

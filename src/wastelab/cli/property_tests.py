"""``wastelab calibrate``, ``first-tests``, ``suggest-tests``: what a model says of tests made here and to be made."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..i18n import pick_language, tr
from . import _model_tables as tables
from ._model_hints import speaks_shell
from ._model_view import show, with_name
from ._results import check_folder, print_json

if TYPE_CHECKING:
    import pandas as pd

    from ..models import PropertyModel

_LOUD = "!!! "


@click.command()
@tables.MODEL
@click.argument("tests")
@click.option("--out", "place", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="MODEL",
              help="Folder that the calibrated model is saved in.")  # fmt: skip
@click.option("--target", multiple=True, callback=tables.one, metavar="COLUMN", help="Results (found by its name).")
@click.option("--fingerprint", default="", help="That MODEL must have, as whoever saved it says.")
@click.option("--overwrite", is_flag=True, help="Replace a model of that name.")
@tables.JSON
@tables.LANG
@speaks_shell
def calibrate(
    model: Path,
    tests: str,
    place: Path,
    target: str | None,
    fingerprint: str,
    overwrite: bool,
    as_json: bool,
    lang: str | None,
) -> int:
    """Calibrate a saved MODEL to your own laboratory by a few of its TESTS; the calibrated model is saved beside it.

    Which mixes to test for it says wastelab first-tests. MODEL must know how laboratories differ (be fitted to tests
    of several). Exit code 1: a test contradicts the others.

    \b
    Example:  wastelab calibrate model own_tests.csv --out model_here
    """
    from ..errors import UnknownNameError
    from ..models.directory import check_place
    from ..models.local_effect import SUSPECT
    from ..models.persistence import load_model, save_model

    language = pick_language(lang)
    check_folder(place.absolute().parent)
    folder = tables.folder_of(model)
    if place.exists() and folder.exists() and place.samefile(folder):
        raise click.UsageError(f"--out {place}: is the model that is read; give another name.")
    check_place(place, overwrite)
    loaded = load_model(folder, fingerprint=fingerprint)
    given = _candidates(tests)
    try:
        local = loaded.calibrate(tests, target)
    except UnknownNameError as exc:
        raise UnknownNameError(f"{exc} {tr('model_hint.target_any', language)}") from None
    mark = save_model(local, place, with_data=loaded.data_ is not None, overwrite=overwrite)
    told = local.effect_.tests.tail(len(given)).reset_index(drop=True)
    told.insert(0, "row", range(1, len(told) + 1))
    odd = [int(n) for n in told["row"][told["standardised"].abs() > SUSPECT]]
    content = loaded.card_.content
    if as_json:
        print_json({
            "model": str(place), "fingerprint": mark, "from_fingerprint": loaded.fingerprint_,
            "target": content["target"], "unit": content["unit"], "tests": told.to_dict("records"), "odd": odd,
            "all_tests": len(local.effect_), "labels": loaded.card_.loud(language),
        })  # fmt: skip
    else:
        unit = content["unit"]
        named = tables.named(told, unit, ("measured", "model", "expected"))
        title = tr("model_cli.calibrated", language, n=len(told), all=len(local.effect_))
        show(with_name(given, named, loaded._table().age), title, language)
        ratio = told["measured"] / told["model"].where(told["model"] > 0)
        if ratio.notna().all():
            values = {"low": f"{ratio.min():.2f}", "high": f"{ratio.max():.2f}", "mean": f"{ratio.mean():.2f}"}
            click.echo(tr("model_cli.ratio", language, **values))
        click.echo(tr("model_cli.saved", language, path=str(place), fingerprint=mark))
    for number in odd:
        values = {"row": str(number), "off": f"{told['standardised'][number - 1]:+.1f}"}
        click.echo(_LOUD + tr("model_cli.odd_test", language, **values), err=True)
    for label in loaded.card_.loud(language):
        click.echo(_LOUD + label, err=True)
    return 1 if odd else 0


@click.command("first-tests")
@tables.MODEL
@click.argument("candidates")
@click.option("--n", type=click.IntRange(1), default=3, show_default=True, help="Tests to make.")
@tables.OUT
@tables.REPLACE
@tables.JSON
@tables.LANG
@speaks_shell
def first_tests(
    model: Path, candidates: str, n: int, out: Path | None, overwrite: bool, as_json: bool, lang: str | None
) -> int:
    """Which of the CANDIDATES a new laboratory should test first, so that MODEL learns most about it.

    \b
    Example:  wastelab first-tests model candidates.csv --n 3
    """
    from ..models.persistence import load_model

    language = pick_language(lang)
    tables.check_table(out, overwrite=overwrite, read=(candidates,))
    loaded = load_model(tables.folder_of(model))
    given = _candidates(candidates)
    found = loaded.first_tests(candidates, n=n)
    return _answer(given, found, model, loaded, "first_tests", out, as_json, language)


@click.command("suggest-tests")
@tables.MODEL
@click.argument("candidates")
@click.option("--n", type=click.IntRange(1), default=8, show_default=True, help="Tests to make.")
@click.option("--goal", default="max", show_default=True, help="max, min, or a window: '40..60'.")
@click.option("--strategy", type=click.Choice(["improve", "learn", "fill"]), default="improve", show_default=True,
              help="Beat the best test, know the property better, or cover the candidates.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draws.")
@tables.OUT
@tables.REPLACE
@tables.JSON
@tables.LANG
@speaks_shell
def suggest_tests(
    model: Path,
    candidates: str,
    n: int,
    goal: str,
    strategy: str,
    seed: int,
    out: Path | None,
    overwrite: bool,
    as_json: bool,
    lang: str | None,
) -> int:
    """Which of the CANDIDATES to test next, as a batch, from what MODEL knows and does not know.

    \b
    Example:  wastelab suggest-tests model candidates.csv --n 8 --goal max
    Example:  wastelab suggest-tests model candidates.csv --goal 40..50 --out next.xlsx
    """
    language = pick_language(lang)
    tables.check_table(out, overwrite=overwrite, read=(candidates,))
    objective = _goal(goal)
    loaded = _with_tests(model)
    given = _candidates(candidates)
    found = loaded.suggest(candidates, n, objective=objective, strategy=strategy, seed=seed)
    return _answer(given, found, model, loaded, "suggest_tests", out, as_json, language)


def _goal(text: str) -> str | tuple[float, float]:
    if text in ("max", "min"):
        return text
    low, dots, high = text.partition("..")
    try:
        window = (float(low), float(high))
    except ValueError:
        window = (0.0, -1.0)
    if not dots or not window[0] < window[1]:
        raise click.UsageError(f"--goal {text!r} is neither max, min nor a window LOW..HIGH, e.g. '40..60'.")
    return window


def _candidates(path: str) -> pd.DataFrame:
    """Candidates as they stand in their file."""
    from ..errors import MissingDataError

    given = tables.frame_of(path)
    if not len(given):
        raise MissingDataError(f"{path}: has no row under its headings: no candidate to choose from. Add the mixes.")
    return given


def _with_tests(model: Path) -> Any:
    from ..errors import MissingDataError
    from ..models.persistence import load_model

    loaded = load_model(tables.folder_of(model))
    if loaded.data_ is None:
        raise MissingDataError(
            f"{model}: was saved without its tests, which are needed to say what to test next. Ask whoever fitted it "
            f"for one saved with them, or fit it again."
        )
    return loaded


def _answer(
    given: pd.DataFrame,
    found: pd.DataFrame,
    model: Path,
    loaded: PropertyModel,
    key: str,
    out: Path | None,
    as_json: bool,
    language: str,
) -> int:
    """Candidates chosen: with their own columns in files, with number, name and age on the screen."""
    from ..models.suggest_texts import in_language
    from ._model_view import cell

    found = in_language(found, language)
    notes = [cell(n, language) for n in found.attrs.get("notes", ())]
    at = found["row"] if "row" in found.columns else found.attrs["rows"]
    chosen = given.iloc[[int(i) for i in at]].reset_index(drop=True)
    found = found.drop(columns=[c for c in ("row", "name", "candidate") if c in found.columns]).reset_index(drop=True)
    found.insert(0, "row", [int(i) + 1 for i in at])
    found["why"] = [cell(why, language) for why in found["why"]]
    if out is not None:
        about = tables.about_model(model, loaded, language)
        tables.write_table(out, tables.beside(chosen, tables.signed(found, about)), about)
    if as_json:
        print_json({
            "model": str(model), key: found.to_dict("records"), "notes": notes,
            "labels": loaded.card_.loud(language), "file": None if out is None else str(out),
        })  # fmt: skip
        return 0
    title = tr(f"model_cli.{key}", language, n=len(found), total=len(given))
    show(with_name(chosen, found, loaded._table().age), title, language)
    if key == "suggest_tests":
        click.echo(tr("model_cli.of_mean", language))
    for note in notes:
        click.echo(f"! {note}")
    if out is not None:
        click.echo(tr("screen.written", language, path=str(out)))
    for label in loaded.card_.loud(language):
        click.echo(_LOUD + label, err=True)
    return 0

"""``wastelab fit``, ``predict``, ``card``, ``audit-table``, ``first-tests``, ``suggest-tests``: property models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..i18n import pick_language, tr
from . import _model_tables as tables
from ._results import check_folder, console, print_json, table

if TYPE_CHECKING:
    import pandas as pd

_LANG = click.option("--lang", type=click.Choice(["en", "zh"]), help="Language.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
_OUT = click.option("--out", type=click.Path(path_type=Path), metavar="FILE", help="Write a .csv or .xlsx table.")
_LOUD = "!!! "
#: Rows that are shown on a screen; files and JSON hold all.
_MOST_ROWS = 60


@click.command()
@tables.tests_options
@click.option("--out", "model", required=True, type=click.Path(file_okay=False, path_type=Path), metavar="MODEL",
              help="Folder that the model is saved in.")  # fmt: skip
@click.option("--learner", multiple=True, help="Member of the blend (repeatable; chosen by default).")
@click.option("--folds", type=click.IntRange(2, 50), default=5, show_default=True, help="Of each validation.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of folds and learners.")
@click.option("--method", default="", help="Standard, specimen and curing of the tests, for the card.")
@click.option("--citation", default="", help="Where the tests are published, for the card.")
@click.option("--evidence", default="", help="primary (own tests), secondary (collected from papers) or memory.")
@click.option("--accept-worse", metavar="REASON", help="Save a model that is worse than a trivial prediction, and why.")
@click.option("--without-data", is_flag=True, help="Do not keep the tests in the model's folder.")
@click.option("--overwrite", is_flag=True, help="Replace a model of that name.")
@_JSON
@_LANG
def fit(
    table: str | None,
    lab_dir: str | None,
    target: str,
    model: Path,
    learner: tuple[str, ...],
    folds: int,
    seed: int,
    method: str,
    citation: str,
    evidence: str,
    accept_worse: str | None,
    without_data: bool,
    overwrite: bool,
    as_json: bool,
    lang: str | None,
    **options: Any,
) -> int:
    """Fit a property model to the tests of TABLE (or of a laboratory), validate it by mix and source, save it.

    A model that is no better than a trivial prediction is not saved unless --accept-worse says why; its card then says
    so in the first line. Exit code 1: worse than a trivial prediction, saved or not.

    \b
    Example:  wastelab fit tests.csv --target compressive_strength --mix mix_id --age age_d --licence own --out model
    Example:  wastelab fit --lab mylab --target compressive_strength --age "28 d" --out model --lang zh
    """
    from ..models.card import model_card
    from ..models.directory import check_place
    from ..models.persistence import save_model
    from ..models.property_model import PropertyModel

    language = pick_language(lang)
    reason = (accept_worse or "").strip()
    if accept_worse is not None and len(reason) < 5:
        raise click.UsageError("--accept-worse: say why in a few words; the reason stands on the card.")
    check_folder(model.absolute().parent)
    check_place(model, overwrite)
    data = tables.read_tests(table, lab_dir, target, **options)
    with tables.progress(language) as report:
        fitted = PropertyModel(
            data.name, unit=data.unit, learner=list(learner) or "auto", n_folds=folds, random_state=seed
        ).fit(data, progress=report)
    worse = fitted.scores_.worse_than_baseline
    stated = {"method": method, "citation": citation, "evidence": evidence}
    fitted.card_ = model_card(fitted, accepted=reason if worse else "", stated=stated)
    saved = not worse or bool(reason)
    fingerprint = save_model(fitted, model, with_data=not without_data, overwrite=overwrite) if saved else ""
    if as_json:
        print_json({
            "model": str(model) if saved else None, "fingerprint": fingerprint or None, "target": data.name,
            "unit": data.unit, "worse_than_baseline": worse, "labels": fitted.card_.labels,
            "accepted": reason if worse else "", "scores": fitted.scores_.to_dict(), "data_sha256": data.sha256,
            "with_data": saved and not without_data, "notices": data.notices,
        })  # fmt: skip
    else:
        click.echo(fitted.card_.summary(language), nl=False)
        if saved:
            click.echo(tr("model_cli.saved", language, path=str(model), fingerprint=fingerprint))
    if worse:
        key = "saved_worse" if saved else "not_saved"
        click.echo(_LOUD + tr(f"model_cli.{key}", language), err=True)
    return 1 if worse else 0


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("table")
@click.option("--interval", type=click.FloatRange(0.5, 0.99), default=0.9, show_default=True, help="Its probability.")
@click.option("--source", metavar="NAME", help="The mixes are of this source of the tests: its own tests count.")
@click.option("--strict", is_flag=True, help="Exit code 1 if any row is outside what the model is valid for.")
@click.option("--fingerprint", default="", help="That the model must have, as whoever saved it says.")
@_OUT
@_JSON
@_LANG
def predict(
    model: Path,
    table: str,
    interval: float,
    source: str | None,
    strict: bool,
    fingerprint: str,
    out: Path | None,
    as_json: bool,
    lang: str | None,
) -> int:
    """Predict the mixes of TABLE with a saved MODEL: mean, interval, and whether the model is valid there.

    \b
    Example:  wastelab predict model candidates.csv --interval 0.9 --out predicted.xlsx
    """
    import numpy as np

    from ..models.card_text import word
    from ..models.persistence import load_model

    language = pick_language(lang)
    tables.check_table(out)
    loaded = load_model(model, fingerprint=fingerprint)
    card = loaded.card_
    given = tables.frame_of(table)
    found = loaded.predict(table, interval=interval, source=source)
    found["reasons"] = tables.why_outside(loaded, table, language)
    outside = int((~found["in_domain"].astype(bool)).sum())
    endless = int((~np.isfinite(found["upper"])).sum())
    unit = card.content["unit"]
    shown = tables.named(found, unit)
    if out is not None:
        tables.write_table(out, tables.beside(given, shown))
    if as_json:
        rows = found.reset_index(drop=True).to_dict("records")
        print_json({
            "model": str(model), "fingerprint": loaded.fingerprint_, "target": card.content["target"], "unit": unit,
            "interval": interval, "holds_for": found.attrs["holds_for"], "labels": card.labels, "outside": outside,
            "rows": rows,
            "file": None if out is None else str(out),
        })  # fmt: skip
    else:
        numbered = shown.reset_index(drop=True)
        numbered.insert(0, "row", range(1, len(shown) + 1))
        _show(_with_name(given, numbered), f"{card.content['target']} [{unit}]", language)
        click.echo(tr("model_cli.holds_for", language, what=word(found.attrs["holds_for"], language)))
        if endless:
            click.echo(tr("model_cli.endless", language, level=f"{100 * interval:g}"))
        if outside:
            click.echo(tr("model_cli.outside", language, n=outside, total=len(found)))
        if out is not None:
            click.echo(tr("screen.written", language, path=str(out)))
    for label in card.loud(language):
        click.echo(_LOUD + label, err=True)
    return 1 if strict and outside else 0


@click.command()
@click.argument("model", type=click.Path(path_type=Path))
@click.option("--markdown", is_flag=True, help="As Markdown.")
@_JSON
@_LANG
def card(model: Path, markdown: bool, as_json: bool, lang: str | None) -> int:
    """The card of a saved MODEL: what it predicts, from which tests, how well, where it is valid.

    Every file of the model is checked first. Exit code 1: the model is no better than a trivial prediction.

    \b
    Example:  wastelab card model --lang zh
    """
    from ..models.persistence import read_card, verify_model

    language = pick_language(lang)
    check = verify_model(model)
    found = read_card(model)
    if as_json:
        print_json({**found.to_dict(), "fingerprint": check.fingerprint, "with_data": check.with_data})
    elif markdown:
        click.echo(found.markdown(language), nl=False)
    else:
        click.echo(found.report(language), nl=False)
        kept = tr("model_cli.with_data" if check.with_data else "model_cli.without_data", language)
        click.echo(tr("model_cli.whole", language, fingerprint=check.fingerprint, kept=kept))
    return 1 if found.do_not_use else 0


@click.command("audit-table")
@tables.tests_options
@_JSON
@_LANG
def audit_table(
    table: str | None, lab_dir: str | None, target: str, as_json: bool, lang: str | None, **options: Any
) -> int:
    """Look for what is wrong with a table of tests before a model is fitted to it; nothing is changed.

    Exit code 1: something severe was found.

    \b
    Example:  wastelab audit-table tests.csv --target compressive_strength --mix mix_id
    """
    from ..models.audit import audit_table as audit
    from ..models.card_text import findings

    language = pick_language(lang)
    if table and not lab_dir:
        from ._lab import pairs

        given = {"origin": Path(table).name} | {k: v for k, v in options.items() if v}
        given["units"] = pairs(options["units"])
        found = audit(table, target, **given)
    else:
        found = audit(tables.read_tests(table, lab_dir, target, **options))
    if as_json:
        print_json(found.to_dict())
    else:
        counts = {"rows": found.n_rows, "mixes": found.n_mixes, "sources": found.n_sources}
        click.echo(tr("model_cli.audited", language, origin=found.origin, target=found.target, **counts))
        for notice in found.notices:
            click.echo(f"  ({notice})")
        click.echo(findings([f.to_dict() for f in found.found], language), nl=False)
    return 1 if any(f.severity == "severe" for f in found.found) else 0


@click.command("first-tests")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("candidates")
@click.option("--n", type=click.IntRange(1), default=3, show_default=True, help="Tests to make.")
@_OUT
@_JSON
@_LANG
def first_tests(model: Path, candidates: str, n: int, out: Path | None, as_json: bool, lang: str | None) -> int:
    """Which of the CANDIDATES a new laboratory should test first, so that MODEL learns most about it.

    \b
    Example:  wastelab first-tests model candidates.csv --n 3
    """
    from ..models.persistence import load_model

    language = pick_language(lang)
    tables.check_table(out)
    loaded = load_model(model)
    given = tables.frame_of(candidates)
    found = loaded.first_tests(given, n=n)
    return _answer(given, found, model, "first_tests", out, as_json, language)


@click.command("suggest-tests")
@click.argument("model", type=click.Path(path_type=Path))
@click.argument("candidates")
@click.option("--n", type=click.IntRange(1), default=8, show_default=True, help="Tests to make.")
@click.option("--goal", default="max", show_default=True, help="max, min, or a window: '40..60'.")
@click.option("--strategy", type=click.Choice(["improve", "learn", "fill"]), default="improve", show_default=True,
              help="Beat the best test, know the property better, or cover the candidates.")  # fmt: skip
@click.option("--seed", type=int, default=0, show_default=True, help="Of the draws.")
@_OUT
@_JSON
@_LANG
def suggest_tests(
    model: Path,
    candidates: str,
    n: int,
    goal: str,
    strategy: str,
    seed: int,
    out: Path | None,
    as_json: bool,
    lang: str | None,
) -> int:
    """Which of the CANDIDATES to test next, as a batch, from what MODEL knows and does not know.

    \b
    Example:  wastelab suggest-tests model candidates.csv --n 8 --goal max
    Example:  wastelab suggest-tests model candidates.csv --goal 40..50 --out next.xlsx
    """
    language = pick_language(lang)
    tables.check_table(out)
    objective = _goal(goal)
    loaded = _with_tests(model)
    given = tables.frame_of(candidates)
    found = loaded.suggest(given, n, objective=objective, strategy=strategy, seed=seed)
    return _answer(given, found, model, "suggest_tests", out, as_json, language)


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


def _with_tests(model: Path) -> Any:
    from ..errors import MissingDataError
    from ..models.persistence import load_model

    loaded = load_model(model)
    if loaded.data_ is None:
        raise MissingDataError(
            f"{model}: was saved without its tests, which are needed to say what to test next. Ask whoever fitted it "
            f"for one saved with them, or fit it again."
        )
    return loaded


def _answer(
    given: pd.DataFrame, found: pd.DataFrame, model: Path, key: str, out: Path | None, as_json: bool, language: str
) -> int:
    """Candidates chosen: with their own columns in files, with number and name on the screen."""
    notes = [str(n) for n in found.attrs.get("notes", ())]
    at = found["row"] if "row" in found.columns else found.attrs["rows"]
    chosen = given.iloc[[int(i) for i in at]].reset_index(drop=True)
    found = found.drop(columns=[c for c in ("row", "name", "candidate") if c in found.columns]).reset_index(drop=True)
    found.insert(0, "row", [int(i) + 1 for i in at])
    if out is not None:
        tables.write_table(out, tables.beside(chosen, found))
    if as_json:
        print_json({
            "model": str(model), key: found.to_dict("records"), "notes": notes,
            "file": None if out is None else str(out),
        })  # fmt: skip
        return 0
    _show(_with_name(chosen, found), tr(f"model_cli.{key}", language, n=len(found), total=len(given)), language)
    for note in notes:
        click.echo(f"! {note}")
    if out is not None:
        click.echo(tr("screen.written", language, path=str(out)))
    return 0


def _with_name(given: pd.DataFrame, found: pd.DataFrame) -> pd.DataFrame:
    """Results with what a person calls each row, after its number."""
    from ..models.table import MIX_COLUMNS

    name = next((c for c in (*MIX_COLUMNS, "mix_name", "sample", "name") if c in given.columns), None)
    out = found.reset_index(drop=True)
    if name is not None and name not in out.columns:
        out.insert(1, name, given[name].to_numpy())
    return out


def _show(frame: pd.DataFrame, title: str, language: str) -> None:
    long = [c for c in ("reasons", "why") if c in frame.columns]
    texts = [c for c in frame.columns if frame[c].dtype.kind not in "if" and c not in long]
    order = [*(c for c in frame.columns if c == "row"), *texts]
    left = len(order)
    order += [c for c in frame.columns if c not in (*order, *long)]
    order += long
    shown = frame[order].head(_MOST_ROWS)
    rows = [[_cell(value, language) for value in row] for row in shown.itertuples(index=False)]
    table(console(), title, [_heading(str(c), language) for c in order], rows, left=left, last_left=bool(long))
    if len(frame) > _MOST_ROWS:
        click.echo(tr("cli.more_rows", language, count=len(frame) - _MOST_ROWS, all=len(frame)))


def _heading(name: str, language: str) -> str:
    from ..models.columns import split_unit

    stem, unit = split_unit(name)
    try:
        return tr(f"model_column.{stem}", language) + (f" [{unit}]" if unit else "")
    except KeyError:
        return name


def _cell(value: Any, language: str) -> str:
    if isinstance(value, bool) or type(value).__name__ == "bool":
        return tr("word.yes" if value else "word.no", language)
    if isinstance(value, float):
        return "–" if value != value else f"{value:.4g}"
    return "" if value is None else str(value)

"""``wastelab fit``, ``predict``, ``card``, ``audit-table``: property models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..i18n import pick_language, tr
from . import _model_tables as tables
from ._model_hints import speaks_shell
from ._model_view import screen, show, with_name
from ._results import check_folder, print_json

if TYPE_CHECKING:
    from ..models.card import ModelCard

_LOUD = "!!! "


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
@tables.JSON
@tables.LANG
@speaks_shell
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
    from ..models.card import is_reason, model_card
    from ..models.directory import check_place
    from ..models.persistence import save_model
    from ..models.property_model import PropertyModel

    language = pick_language(lang)
    reason = (accept_worse or "").strip()
    if accept_worse is not None and not is_reason(reason):
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
            "unit": data.unit, "worse_than_baseline": worse, "labels": fitted.card_.loud(language),
            "accepted": reason if worse else "", "scores": fitted.scores_.to_dict(), "data_sha256": data.sha256,
            "with_data": saved and not without_data, "notices": list(fitted.notices_),
            "findings": _counted(fitted.card_),
        })  # fmt: skip
    else:
        click.echo(fitted.card_.summary(language, screen().width), nl=False)
        click.echo(tr("model_cli.audit_counts", language, **_counted(fitted.card_)))
        if saved:
            click.echo(tr("model_cli.saved", language, path=str(model), fingerprint=fingerprint))
    if worse:
        key = "saved_worse" if saved else "not_saved"
        click.echo(_LOUD + tr(f"model_cli.{key}", language), err=True)
    return 1 if worse else 0


@click.command()
@tables.MODEL
@click.argument("table")
@click.option("--interval", type=click.FloatRange(0.5, 0.99), default=0.9, show_default=True, help="Its probability.")
@click.option("--source", metavar="NAME", help="The mixes are of this source of the tests: its own tests count.")
@click.option("--limit", type=click.IntRange(1), default=60, show_default=True, help="Rows shown; files hold all.")
@click.option("--strict", is_flag=True, help="Exit code 1 if any row is outside what the model is valid for.")
@click.option("--fingerprint", default="", help="That the model must have, as whoever saved it says.")
@tables.OUT
@tables.REPLACE
@tables.JSON
@tables.LANG
@speaks_shell
def predict(
    model: Path,
    table: str,
    interval: float,
    source: str | None,
    limit: int,
    strict: bool,
    fingerprint: str,
    out: Path | None,
    overwrite: bool,
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
    tables.check_table(out, overwrite=overwrite, read=(table,))
    loaded = load_model(tables.folder_of(model), fingerprint=fingerprint)
    card = loaded.card_
    given = tables.frame_of(table)
    found = loaded.predict(table, interval=interval, source=source)
    found["reasons"] = tables.why_outside(loaded, table, language)
    outside = int((~found["in_domain"].astype(bool)).sum())
    endless = int((~np.isfinite(found["upper"])).sum())
    unit = card.content["unit"]
    assumed = tables.assumed(loaded, found.attrs["holds_for"], interval, language)
    shown = tables.named(found, unit)
    if out is not None:
        holds = {"interval": f"{100 * interval:g} %", "holds_for": word(found.attrs["holds_for"], language)}
        about = tables.about_model(model, loaded, language, **holds)
        tables.write_table(out, tables.beside(given, tables.signed(shown, about)), about)
    if as_json:
        rows = found.reset_index(drop=True).to_dict("records")
        print_json({
            "model": str(model), "fingerprint": loaded.fingerprint_, "target": card.content["target"], "unit": unit,
            "interval": interval, "holds_for": found.attrs["holds_for"], "labels": card.loud(language),
            "notices": assumed, "outside": outside, "rows": rows, "file": None if out is None else str(out),
        })  # fmt: skip
    else:
        numbered = shown.reset_index(drop=True)
        numbered.insert(0, "row", range(1, len(shown) + 1))
        title = word(card.content["target"], language) + (f" [{unit}]" if unit else "")
        show(with_name(given, numbered, loaded._table().age), title, language, most=limit)
        click.echo(tr("model_cli.holds_for", language, what=word(found.attrs["holds_for"], language)))
        for text in assumed:
            click.echo(f"! {text}")
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
@tables.MODEL
@click.option("--markdown", is_flag=True, help="As Markdown.")
@tables.JSON
@tables.LANG
@speaks_shell
def card(model: Path, markdown: bool, as_json: bool, lang: str | None) -> int:
    """The card of a saved MODEL: what it predicts, from which tests, how well, where it is valid.

    Every file of the model is checked first. Exit code 1: the model is no better than a trivial prediction.

    \b
    Example:  wastelab card model --lang zh
    """
    from ..models.persistence import read_card, verify_model

    language = pick_language(lang)
    model = tables.folder_of(model)
    check = verify_model(model)
    found = read_card(model)
    if as_json:
        print_json({**found.to_dict(), "fingerprint": check.fingerprint, "with_data": check.with_data})
    elif markdown:
        click.echo(found.markdown(language), nl=False)
    else:
        click.echo(found.report(language, screen().width), nl=False)
        kept = tr("model_cli.with_data" if check.with_data else "model_cli.without_data", language)
        click.echo(tr("model_cli.whole", language, fingerprint=check.fingerprint, kept=kept))
    return 1 if found.do_not_use else 0


@click.command("audit-table")
@tables.tests_options
@tables.JSON
@tables.LANG
@speaks_shell
def audit_table(
    table: str | None, lab_dir: str | None, target: str, as_json: bool, lang: str | None, **options: Any
) -> int:
    """Look for what is wrong with a table of tests before a model is fitted to it; nothing is changed.

    Exit code 1: something severe was found.

    \b
    Example:  wastelab audit-table tests.csv --target compressive_strength --mix mix_id
    """
    from ..models.audit import audit_table as audit
    from ..models.card_text import findings, word

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
        key = "audited" if found.n_sources else "audited_unknown"
        click.echo(tr(f"model_cli.{key}", language, origin=found.origin, target=word(found.target, language), **counts))
        for notice in found.notices:
            click.echo(f"  ({notice})")
        click.echo(findings([f.to_dict() for f in found.found], language), nl=False)
    return 1 if any(f.severity == "severe" for f in found.found) else 0


def _counted(card: ModelCard) -> dict[str, int]:
    """Findings of the audit by how bad they are, for a sentence."""
    found = [f["severity"] for f in card.content["audit"] or []]
    return {"severe": found.count("severe"), "warn": found.count("warn"), "info": found.count("info")}

"""``wastelab judge``: judge properties against a grade of a standard."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import click

from ..errors import UnitError
from ..i18n import pick_language


@click.command()
@click.argument("grade", required=False)
@click.argument("properties", nargs=-1)
@click.option("--file", "file", type=click.Path(path_type=Path), help="JSON object or two-column CSV: property, value.")
@click.option("--material", "materials", multiple=True, help="Id of a material the product holds (repeatable).")
@click.option("--product", default="", help="Product designation, e.g. 'P.C 32.5R'.")
@click.option("--variant", default="", help="Variant for conditional limits, e.g. 'class F'.")
@click.option("--list", "show", is_flag=True, help="List standards and grades.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of the table.")
def judge(
    grade: str | None,
    properties: tuple[str, ...],
    file: Path | None,
    materials: tuple[str, ...],
    product: str,
    variant: str,
    show: bool,
    as_json: bool,
    lang: str | None,
) -> int:
    """Judge PROPERTIES (name=value) against GRADE ("standard/grade").

    \b
    Example:  wastelab judge "GB 6566-2010/main_structure" I_Ra=0.8 I_gamma=1.2

    A value may carry a unit ("SO3=3.2 %") or be below detection ("leachate_Cu=<0.01 mg/L").
    Exit code 0: passes; 1: fails or unknown; 2: wrong input.
    """
    from ..standards import judge as judge_properties
    from ..standards import list_standards, load_standard

    language = pick_language(lang)
    if show:
        entries = {name: load_standard(name) for name in list_standards()}
        if as_json:
            click.echo(json.dumps({k: list(s.grades) for k, s in entries.items()}, ensure_ascii=False))
            return 0
        for name, standard in entries.items():
            title = standard.title_zh if language == "zh" and standard.title_zh else standard.title
            click.echo(f"{name}  {title}  [{standard.status}]\n    {', '.join(standard.grades)}")
        return 0
    if grade is None:
        raise click.UsageError("give a grade, e.g. 'GB 6566-2010/main_structure', or --list.")
    given: dict[str, object] = _read(file) if file is not None else {}
    for item in properties:
        name, equals, value = item.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise click.UsageError(f"{item!r} is not name=value, e.g. I_Ra=0.8 or 'SO3=3.2 %'.")
        given[name.strip()] = value.strip()
    result = judge_properties(given, grade, materials=materials, product=product, variant=variant)
    unused = [name for name in given if name not in {v.limit.property for v in result.verdicts}]
    click.echo(result.to_json() if as_json else result.table(language), nl=as_json)
    for name in unused:
        click.echo(f"Note: {grade} has no limit on '{name}'.", err=True)
    return 0 if result.status == "pass" else 1


def _read(file: Path) -> dict[str, object]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as exc:
        raise UnitError(f"{file}: cannot be read ({exc.strerror}).") from None
    except UnicodeDecodeError:
        raise UnitError(f"{file}: is not UTF-8; save it as UTF-8.") from None
    if file.suffix.lower() == ".json":
        try:
            data = json.loads(text)
        except json.JSONDecodeError as exc:
            raise UnitError(f"{file}, line {exc.lineno}: not valid JSON ({exc.msg}).") from None
        if not isinstance(data, dict):
            raise UnitError(f"{file}: expected a JSON object of property: value.")
        return data
    out: dict[str, object] = {}
    for number, row in enumerate(csv.reader(text.splitlines()), start=1):
        if not row or row[0].strip().lower() in ("property", "项目"):
            continue
        if len(row) < 2 or not row[1].strip():
            raise UnitError(f"{file}, line {number}: expected 'property,value', found {','.join(row)!r}.")
        out[row[0].strip()] = row[1].strip()
    return out

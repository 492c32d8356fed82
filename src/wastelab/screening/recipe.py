"""The recipe file: what may be blended, which process conditions, what is required, what is wanted.

Reads TOML, validates it with pydantic and answers every mistake with file, line, key, what was found and
what to do. Knows nothing of chemistry: whether a route can compute a criterion is decided in `program`.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import RecipeError, UnitError, suggest
from ..units import parse

#: A material of the laboratory: ``lab:RM-XY-03`` (a sample), ``lab:red_mud`` (a class), ``lab:source:H1`` (a heap).
LAB = "lab:"
#: A run larger than this is refused before it starts.
MAX_CANDIDATES = 2 * 10**12

Text = str | int | float


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MaterialEntry(_Strict):
    """One line of ``[materials]``."""

    use: str
    min: str | None = None
    max: str | None = None
    calcined: bool = False
    transport: str | None = None
    mode: Literal["road", "rail", "water"] = "road"
    price: str | None = None
    override: dict[str, Text] = Field(default_factory=dict)
    from_: str | None = Field(default=None, alias="from")
    to: str | None = None
    rest: str | None = None


class Grid(_Strict):
    """A process variable given as an evenly spaced grid."""

    min: str | float
    max: str | float
    step: str | float


class TopList(_Strict):
    """``[top]``: the best mixes by one objective, besides the Pareto set."""

    by: str
    k: int = Field(default=5, ge=1, le=1000)


class _Document(_Strict):
    schema_: Literal[1] = Field(alias="schema")
    name: str
    name_zh: str = ""
    route: str
    purpose: str = ""
    trust: str = ""
    materials: dict[str, MaterialEntry | str]
    process: dict[str, Any] = Field(default_factory=dict)
    require: dict[str, str | list[str]] = Field(default_factory=dict)
    objectives: dict[str, Literal["min", "max"]]
    top: TopList | None = None


@dataclass(frozen=True)
class Window:
    """A requirement on a criterion: the raw value must lie in it."""

    low: float | None
    high: float | None
    low_inclusive: bool = True
    high_inclusive: bool = True
    text: str = ""

    def contains(self, value: float, tolerance: float = 0.0) -> bool:
        """Whether a value lies inside; values within `tolerance` of an inclusive end do."""
        if self.low is not None:
            edge = self.low - tolerance if self.low_inclusive else self.low + tolerance
            if value < edge or (not self.low_inclusive and value <= self.low):
                return False
        if self.high is not None:
            edge = self.high + tolerance if self.high_inclusive else self.high - tolerance
            if value > edge or (not self.high_inclusive and value >= self.high):
                return False
        return True


@dataclass(frozen=True)
class Recipe:
    """A validated recipe.

    Attributes
    ----------
    path : Path
        The file it came from (``<text>`` when read from a string).
    text, sha256 : str
        The file's text and its hash; both go into every study.
    materials : mapping of str to MaterialEntry
        In file order.
    step : float
        Lattice step of the dry mass fractions [kg/kg].
    process : mapping
        Raw ``[process]`` table; interpreted with the route.
    require : mapping of str to Window text
        Criterion symbol to the text of its window.
    standards : tuple of str
        ``"GB 6566-2010/main_structure"`` …
    objectives : mapping of str to {"min", "max"}
    top : TopList or None
    """

    path: Path
    text: str
    sha256: str
    name: str
    name_zh: str
    route: str
    purpose: str
    trust: str
    materials: Mapping[str, MaterialEntry]
    step: float
    process: Mapping[str, Any]
    require: Mapping[str, str]
    standards: tuple[str, ...]
    objectives: Mapping[str, str]
    top: TopList | None

    def error(self, keys: Iterable[str], problem: str) -> RecipeError:
        """A `RecipeError` that points at the line of a key of this recipe."""
        return _error(self.path, self.text, tuple(keys), problem)


def load_recipe(path: str | Path) -> Recipe:
    """Read and validate a recipe file.

    Parameters
    ----------
    path : path or str
        A TOML file, or the name of a shipped recipe (``"red_mud_bye_clinker"``).

    Raises
    ------
    RecipeError
        If there is no such file, it is not UTF-8 or not TOML, or breaks the schema; names line and key.
    """
    file = find_recipe(path)
    try:
        raw = file.read_bytes()
    except OSError as exc:
        raise RecipeError(f"{file}: cannot be read ({exc.strerror}).") from None
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as exc:
        line = raw[: exc.start].count(b"\n") + 1
        raise RecipeError(
            f"{file}, line {line}: byte 0x{raw[exc.start]:02x} is not UTF-8. "
            "Recipes are UTF-8 text; save the file again with encoding UTF-8 (in Notepad: 'Save as', UTF-8)."
        ) from None
    return parse_recipe(text, file)


def shipped_recipes() -> dict[str, Path]:
    """Names and paths of the recipes that come with wastelab (and those in ``WASTELAB_DATA`` roots)."""
    from ..reference import find_files

    found: dict[str, Path] = {}
    for file in find_files("recipes", "*.toml"):
        found.setdefault(file.stem, file)
    return found


def find_recipe(name: str | Path) -> Path:
    """Resolve a path or the name of a shipped recipe to a file."""
    path = Path(name)
    if path.is_file():
        return path
    if path.is_dir():
        raise RecipeError(f"{path} is a directory; give the recipe file itself.")
    known = shipped_recipes()
    if path.suffix in ("", ".toml") and path.stem in known and path.parent.name in ("", "recipes"):
        return known[path.stem]
    raise RecipeError(
        f"There is no recipe file {str(name)!r}.{suggest(path.stem, known)} "
        f"Shipped recipes: {', '.join(sorted(known)) or 'none found'}."
    )


def parse_recipe(text: str, path: str | Path = "<text>") -> Recipe:
    """Validate the text of a recipe; see `load_recipe`."""
    file = Path(path)
    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as exc:
        raise RecipeError(f"{file}: not valid TOML: {exc}.") from None
    materials = data.get("materials")
    if not isinstance(materials, dict):
        raise RecipeError(f"{file}: there is no [materials] table; list at least one material in it.")
    if "step" not in materials:
        raise _error(file, text, ("materials",), 'the lattice step is missing; add for example step = "1 %".')
    step_text = materials.pop("step")
    try:
        document = _Document.model_validate(data)
    except ValidationError as exc:
        raise _validation_error(file, text, exc) from None
    entries = {
        key: entry if isinstance(entry, MaterialEntry) else MaterialEntry(use=entry)
        for key, entry in document.materials.items()
    }
    if not entries:
        raise _error(file, text, ("materials",), "no material is listed.")
    step = _fraction(file, text, ("materials", "step"), step_text)
    if not 0 < step <= 1 or abs(round(1 / step) - 1 / step) > 1e-6:
        raise _error(
            file, text, ("materials", "step"),
            f"step = {step_text!r} does not divide 100 %; use for example '1 %', '0.5 %' or '2.5 %'.",
        )  # fmt: skip
    if not document.objectives:
        raise _error(
            file, text, ("objectives",),
            'no objective is given; name one to six, for example co2 = "min".',
        )  # fmt: skip
    if len(document.objectives) > 6:
        raise _error(file, text, ("objectives",), f"{len(document.objectives)} objectives; at most six are possible.")
    require = dict(document.require)
    standards = require.pop("standards", [])
    if isinstance(standards, str):
        standards = [standards]
    for key, value in require.items():
        if not isinstance(value, str):
            raise _error(
                file, text, ("require", key),
                f"expected a window such as '0.95 .. 1.05', '>= 20 wt%' or '<= 1.5 wt%', found {value!r}.",
            )  # fmt: skip
    recipe = Recipe(
        path=file,
        text=text,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        name=document.name,
        name_zh=document.name_zh,
        route=document.route,
        purpose=document.purpose,
        trust=document.trust,
        materials=entries,
        step=step,
        process=document.process,
        require={k: str(v) for k, v in require.items()},
        standards=tuple(standards),
        objectives=dict(document.objectives),
        top=document.top,
    )
    check_bounds(recipe)
    return recipe


def replace_materials(recipe: Recipe, use: Mapping[str, str]) -> Recipe:
    """The recipe with other materials under some of its keys, e.g. ``{"red_mud": "lab:RM-XY-03"}``.

    Raises
    ------
    RecipeError
        If the recipe has no such key.
    """
    entries = dict(recipe.materials)
    for key, name in use.items():
        if key not in entries:
            raise recipe.error(
                ("materials",), f"there is no material {key!r} to replace.{suggest(key, entries)} "
                f"Materials: {', '.join(entries)}."
            )  # fmt: skip
        old = entries[key]
        changes: dict[str, str | None] = {"use": name}
        if name.startswith(LAB) and not old.use.startswith(LAB):
            changes["rest"] = old.rest or old.use
        elif not name.startswith(LAB):
            changes |= {"rest": None, "from_": None, "to": None}
        entries[key] = old.model_copy(update=changes)
    changed = replace(recipe, materials=entries)
    check_bounds(changed)
    return changed


def bounds(recipe: Recipe) -> tuple[list[int], list[int], int]:
    """Lattice size m and integer bounds of every material (inward to the lattice).

    Returns
    -------
    lo, hi : list of int
        Bounds [lattice units of 1/m].
    m : int
    """
    m = round(1 / recipe.step)
    lo, hi = [], []
    for key, entry in recipe.materials.items():
        low = _fraction(recipe.path, recipe.text, ("materials", key, "min"), entry.min or "0 %")
        high = _fraction(recipe.path, recipe.text, ("materials", key, "max"), entry.max or "100 %")
        lo.append(_ceil(low * m))
        hi.append(_floor(high * m))
    return lo, hi, m


def parse_window(text: str, unit: str, what: str) -> Window:
    """Parse ``"0.95 .. 1.05"``, ``">= 20 wt%"``, ``"<= 1.5 wt%"``, ``"< 3"`` or ``"= 2"`` into a `Window`.

    Raises
    ------
    UnitError
        If the text is no window, or has no or the wrong unit.
    """
    body = text.strip()
    if ".." in body:
        left, right = (part.strip() for part in body.split("..", 1))
        match = re.match(r"^[-+0-9.eE]+\s*(.*)$", right)
        if match and re.fullmatch(r"[-+0-9.eE]+", left):
            left = f"{left} {match[1]}".strip()
        low, high = parse(left, unit, what=what), parse(right, unit, what=what)
        if low > high:
            raise UnitError(f"{what} = {text!r}: the lower end is above the upper end.")
        return Window(low, high, text=text)
    match = re.match(r"^(>=|<=|>|<|=|≥|≤)\s*(.+)$", body)
    if not match:
        raise UnitError(f"{what} = {text!r} is no window; write '0.95 .. 1.05', '>= 20 wt%', '<= 1.5 wt%' or '= 2'.")
    sign = {"≥": ">=", "≤": "<="}.get(match[1], match[1])
    value = parse(match[2], unit, what=what)
    if sign == ">=":
        return Window(value, None, text=text)
    if sign == ">":
        return Window(value, None, low_inclusive=False, text=text)
    if sign == "<=":
        return Window(None, value, text=text)
    if sign == "<":
        return Window(None, value, high_inclusive=False, text=text)
    return Window(value, value, text=text)


def locate(text: str, keys: tuple[str, ...]) -> int | None:
    """Line number (from 1) where a key path stands in a TOML text, or the nearest parent's line."""
    best: int | None = None
    best_depth = 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        stripped = line.strip()
        header = re.match(r"^\[+\s*([^\]]+?)\s*\]+", stripped)
        if header:
            table = tuple(part.strip().strip("\"'") for part in header[1].split("."))
            path = table
        else:
            key = re.match(r"""^("[^"]+"|'[^']+'|[A-Za-z0-9_\-.]+)\s*=""", stripped)
            if not key:
                continue
            path = (*table, *(part.strip("\"'") for part in key[1].split(".")))
        depth = len(path)
        if keys[:depth] == path and depth > best_depth:
            best, best_depth = number, depth
    return best


def _error(file: Path, text: str, keys: tuple[str, ...], problem: str) -> RecipeError:
    line = locate(text, keys)
    where = f"{file}, line {line}" if line else f"{file}"
    return RecipeError(f"{where}, key {'.'.join(keys)}: {problem}")


def _validation_error(file: Path, text: str, exc: ValidationError) -> RecipeError:
    faults = exc.errors()
    fault = next(
        (f for f in faults if f["type"] == "extra_forbidden"), faults[0]
    )  # a misspelt key explains a missing one
    keys = tuple(str(k) for k in fault["loc"] if k not in ("MaterialEntry", "str"))
    found = fault.get("input")
    kind = fault["type"]
    if kind == "extra_forbidden":
        table = keys[:-1]
        model: type[BaseModel] = _Document
        if table and table[0] == "materials":
            model = MaterialEntry
        elif table and table[0] == "top":
            model = TopList
        known = [f.alias or n for n, f in model.model_fields.items()]
        problem = f"unknown key.{suggest(keys[-1], known)} Known keys here: {', '.join(known)}."
    elif kind == "missing":
        problem = "this key is missing."
    elif kind == "literal_error":
        problem = f"found {found!r}, expected {fault['ctx']['expected']}."
    else:
        problem = f"found {found!r}: {fault['msg'].lower()}."
    return _error(file, text, keys, problem)


def _fraction(file: Path, text: str, keys: tuple[str, ...], value: object) -> float:
    try:
        number = parse(value, "kg/kg", what=keys[-1])  # type: ignore[arg-type]
    except UnitError as exc:
        raise _error(file, text, keys, str(exc).replace("kg/kg", "%").replace('"', "'")) from None
    if number < 0:
        raise _error(file, text, keys, f"{value!r} is a negative share; a share lies between 0 % and 100 %.")
    if number > 1 + 1e-12:
        raise _error(file, text, keys, f"{value!r} is more than 100 %.")
    return number


def _ceil(x: float) -> int:
    return int(-(-x // 1)) if abs(x - round(x)) > 1e-6 else round(x)


def _floor(x: float) -> int:
    return int(x // 1) if abs(x - round(x)) > 1e-6 else round(x)


def check_bounds(recipe: Recipe) -> None:
    """Raise a `RecipeError` if the bounds leave no lattice point, or cannot sum to 100 %."""
    lo, hi, m = bounds(recipe)
    for key, low, high in zip(recipe.materials, lo, hi, strict=True):
        entry = recipe.materials[key]
        if (entry.from_ or entry.to) and not entry.use.startswith(LAB):
            raise recipe.error(
                ("materials", key, "from" if entry.from_ else "to"),
                f'a date window selects analyses of a laboratory; {entry.use!r} is none (write use = "lab:…").',
            )
        if entry.rest and not entry.use.startswith(LAB):
            raise recipe.error(
                ("materials", key, "rest"), 'completes a material of the laboratory; it goes with use = "lab:…" only.'
            )
        if low > high:
            raise recipe.error(
                ("materials", key),
                f"no lattice point between min = {entry.min or '0 %'} and max = {entry.max or '100 %'} "
                f"at a step of {100 * recipe.step:g} %; widen the bounds or refine the step.",
            )
    if sum(lo) > m:
        raise recipe.error(
            ("materials",),
            f"the lower bounds sum to {100 * sum(lo) / m:g} %, more than 100 %; lower some min.",
        )
    if sum(hi) < m:
        raise recipe.error(
            ("materials",),
            f"the upper bounds sum to {100 * sum(hi) / m:g} %, less than 100 %; raise some max or add a material.",
        )

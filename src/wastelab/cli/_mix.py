"""What a person heats, as typed: materials with shares or oxides in wt%, furnace gas, minerals, temperatures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ..errors import CompositionError, FractionSumError, MissingDataError, UnknownNameError, WastelabError
from ..units import parse

if TYPE_CHECKING:
    from ..chemistry import Material
    from ..simulate.atmosphere import Atmosphere

F = TypeVar("F", bound=Callable[..., Any])
#: A material of the laboratory: ``lab:RM-XY-03``.
LAB = "lab:"
#: Of an analysis, not oxides, but understood beside them.
_BESIDE = ("LOI", "carbonate_CO2", "organic_C", "bound_water")
#: Most temperatures that a range may make.
MOST = 500


@dataclass
class Mix:
    """A dry mix as typed.

    Attributes
    ----------
    materials : mapping of Material to float
        Dry mass fractions [kg/kg]; empty where oxides were typed.
    oxides : mapping of str to float
        [wt% dry]; empty where materials were named.
    notes : list of str
        What to know of how they were put together.
    """

    materials: dict[Material, float] = field(default_factory=dict)
    oxides: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.materials or self.oxides)

    @property
    def label(self) -> str:
        """What it is, in one line."""
        parts = [f"{100 * x:g} % {m.id}" for m, x in self.materials.items()]
        return " + ".join(parts) if parts else ", ".join(f"{k} {v:g}" for k, v in self.oxides.items())

    def analysis(self) -> Material | dict[str, float]:
        """As one analysis, for an equilibrium; notes what a material of the mix does not say."""
        if not self.materials:
            return self.oxides
        if len(self.materials) == 1:
            return next(iter(self.materials))
        from ..simulate import blend

        mixed = blend(self.materials, name=self.label)
        for name in sorted(
            {o for m in self.materials for o in m.composition.contents} - set(mixed.composition.contents)
        ):
            lacking = ", ".join(m.id for m in self.materials if name not in m.composition.contents)
            self.notes.append(f"{name} is not known of {lacking} and was left out of the mix")
        return mixed

    def feed(self) -> Material | dict[Material, float] | dict[str, float] | None:
        """As materials that keep their minerals, for kinetics."""
        if len(self.materials) == 1:
            return next(iter(self.materials))
        return self.materials or self.oxides or None

    def as_json(self) -> dict[str, Any]:
        """``dry_fractions`` or ``oxides_wt_percent``."""
        if self.materials:
            return {"dry_fractions": {m.id: x for m, x in self.materials.items()}}
        return {"oxides_wt_percent": dict(self.oxides)}


def mix_options(command: F) -> F:
    """``--lab``, ``--wet`` and the language and form of the answer."""
    for option in reversed(
        (
            click.option("--lab", "lab_dir", envvar="WASTELAB_LAB", help="Laboratory of materials 'lab:CODE'."),
            click.option("--wet", is_flag=True, help="The shares of materials are as received (moist), not dry."),
            click.option("--json", "as_json", is_flag=True, help="Print one JSON object."),
            click.option("--lang", type=click.Choice(["en", "zh"]), help="Language of the tables and figures."),
        )
    ):  # fmt: skip
        command = option(command)
    return command


def read_mix(parts: Iterable[str], lab_dir: str | None, wet: bool = False) -> Mix:
    """The mix that PARTS name.

    Parameters
    ----------
    parts : iterable of str
        ``red_mud/bayer-diasporic=30%``, ``lab:RM-01=0.3``, ``my.toml=30%`` (a single material needs no share), or
        ``CaO=66.6`` in wt%.
    lab_dir : str or None
    wet : bool
        Shares as received.

    Raises
    ------
    click.UsageError
        For a part that cannot be read, or materials beside oxides.
    WastelabError
        For a material that does not exist, or shares that do not sum to 1.
    """
    typed = list(parts)
    mix, lab = Mix(), None
    for part in typed:
        name, equals, value = (s.strip() for s in part.rpartition("="))
        if not equals and _is_material(value) and len(typed) == 1:
            name, value = value, "100%"
        elif not equals or not name or not value:
            raise click.UsageError(f"{part!r} is not NAME=SHARE, e.g. raw/limestone=70% or CaO=66.6 (wt%).")
        if _is_material(name):
            if name.startswith(LAB) and lab is None:
                lab = _open(lab_dir, name)
            found = _material(name, lab)
            if any(m.id == found.id for m in mix.materials):
                raise FractionSumError(f"{name} is named twice; add its shares.")
            mix.materials[found] = _number(value, "kg/kg", name)
        else:
            if name in mix.oxides:
                raise CompositionError(f"{name} is given twice.")
            mix.oxides[_oxide(name)] = _number(value, "%", name)
    if mix.materials and mix.oxides:
        raise click.UsageError(
            "give materials with shares, or oxides in wt%, not both: an oxide belongs to a material."
        )
    if mix.materials:
        total = sum(mix.materials.values())
        if not all(x >= 0 for x in mix.materials.values()) or abs(total - 1.0) > 1e-9:
            raise FractionSumError(
                f"The shares sum to {100 * total:.7g} %, expected 100 %, none below 0 (write raw/limestone=70%)."
            )
        if wet:
            from ..simulate import dry_fractions

            mix.materials = dict(dry_fractions(mix.materials))
        for m in mix.materials:
            if m.id.startswith(LAB) and m.note:
                mix.notes.append(f"{m.id}: {m.note}")
    return mix


def _is_material(name: str) -> bool:
    return name.startswith(LAB) or name.endswith(".toml") or "/" in name


def _open(lab_dir: str | None, name: str) -> Any:
    if not lab_dir:
        raise click.UsageError(f"{name} is in a laboratory; say in which: --lab DIR (or WASTELAB_LAB).")
    from ..lab import open_lab

    return open_lab(lab_dir)


def _material(name: str, lab: Any) -> Material:
    from ..reference import material, material_from_file

    if name.startswith(LAB):
        found: Material = lab.material(name.removeprefix(LAB))
        return found
    if name.endswith(".toml"):
        if not Path(name).is_file():
            raise UnknownNameError(f"There is no file {name}; a card of a material is a TOML file.")
        return material_from_file(Path(name))
    return material(name)


def _oxide(name: str) -> str:
    from ..chemistry.formulas import atoms

    if name in _BESIDE:
        return name
    try:
        atoms(name)
    except WastelabError:
        raise UnknownNameError(
            f"{name!r} is neither a material (raw/limestone, lab:CODE, card.toml) nor an oxide (CaO, SiO2, LOI ...)."
        ) from None
    return name


def _number(text: str, unit: str, what: str) -> float:
    """A share: a bare number as the unit says, or with a percent sign."""
    try:
        return float(text)
    except ValueError:
        return parse(text, unit, what=what)


def with_minerals(mix: Mix, items: Iterable[str]) -> dict[str, float] | None:
    """Minerals as typed: of the whole dry mix (returned), or of one of its materials, which then holds them.

    Parameters
    ----------
    mix : Mix
        Its materials are replaced by ones with the minerals typed for them.
    items : iterable of str
        ``kaolinite=80``, ``coal_gangue/kaolinitic:kaolinite=80`` [wt% dry].

    Raises
    ------
    click.UsageError
    """
    whole: dict[str, float] = {}
    of: dict[str, dict[str, float]] = {}
    for item in items:
        name, equals, value = (s.strip() for s in item.rpartition("="))
        if not equals or not name or not value:
            raise click.UsageError(f"--phases {item!r} is not PHASE=WT%, e.g. kaolinite=80.")
        material, _, phase = name.rpartition(":")
        target = whole if not material else of.setdefault(material, {})
        if phase in target:
            raise click.UsageError(f"--phases {name} is given twice.")
        target[phase] = _number(value, "%", f"--phases {name}")
    if whole and of:
        raise click.UsageError("--phases: give the minerals of the whole mix, or of each material, not both.")
    if of:
        _give(mix, of)
    return whole or None


def _give(mix: Mix, of: Mapping[str, Mapping[str, float]]) -> None:
    from dataclasses import replace

    from ..chemistry.quantity import Quantity
    from ..provenance import Evidence, Source

    known = {m.id: m for m in mix.materials}
    typed = Source("minerals typed by the user", Evidence.RECIPE)
    for name, phases in of.items():
        if name not in known:
            raise UnknownNameError(
                f"--phases {name}: this material is not in the mix; it holds {', '.join(known) or 'oxides only'}."
            )
        old = known[name]
        new = replace(old, phases={k: Quantity(v, "wt%", typed) for k, v in phases.items()})
        mix.materials = {new if m is old else m: x for m, x in mix.materials.items()}


@contextmanager
def minerals_wanted() -> Iterator[None]:
    """Says how minerals are typed, where a model lacks them."""
    try:
        yield
    except MissingDataError as exc:
        if "phases" not in str(exc):
            raise
        raise MissingDataError(
            f"{exc} Here: --phases kaolinite=40 --phases quartz=35, or of one material --phases MATERIAL:kaolinite=40."
        ) from None


def gas_of(text: str | None) -> Atmosphere | None:
    """Furnace gas as typed: a preset, pressures, or a preset with some of them changed.

    ``rotary_kiln``, ``CO2=25 %, O2=3 %``, ``rotary_kiln, SO2=0.002 bar``; percent is of 1 bar.

    Raises
    ------
    UnknownNameError, UnitError, ValidityError
    """
    if text is None:
        return None
    import re

    from ..simulate.atmosphere import as_atmosphere

    words = [w.strip() for w in re.split(r"[,;,;、]", text) if w.strip()]
    if not words:
        raise click.UsageError("--gas is empty; write rotary_kiln, or 'CO2=25 %, O2=3 %'.")
    base = None
    if "=" not in words[0]:
        base = as_atmosphere(words.pop(0))
    given: dict[str, str | float] = {}
    for word in words:
        name, equals, value = (s.strip() for s in word.partition("="))
        if not equals or not value:
            raise click.UsageError(f"--gas: {word!r} is not GAS=PRESSURE, e.g. 'CO2=25 %' or 'SO2=0.001 bar'.")
        if name in given:
            raise click.UsageError(f"--gas: {name} is given twice.")
        given[name] = value
    if base is None:
        return as_atmosphere(given)
    if not given:
        return base
    own = as_atmosphere(given).pressures
    return base.having(**{k: own[k] for k in given})


def temperatures_of(items: Iterable[str], step: str) -> list[str]:
    """Temperatures as typed, ranges laid out: ``900 degC..1400 degC`` in steps.

    Raises
    ------
    UnitError, ValidityError, click.UsageError
    """
    from ..simulate.heating import kelvin

    out: list[str] = []
    for item in items:
        low, dots, high = item.partition("..")
        if not dots:
            out.append(item)
            continue
        first, last = kelvin(low.strip(), "--at"), kelvin(high.strip(), "--at")
        width = interval(step, "--step")
        if not (width > 0 and first < last and (last - first) / width <= MOST):
            raise click.UsageError(
                f"--at {item} with --step {step}: expected a rising range and at most {MOST} temperatures."
            )
        count = int((last - first) / width + 1e-9)
        celsius = [first - 273.15 + k * width for k in range(count + 1)]
        if last - 273.15 - celsius[-1] > 1e-6:
            celsius.append(last - 273.15)
        out += [f"{round(c, 6)!r} degC" for c in celsius]
    return out


def interval(text: str, what: str) -> float:
    """A difference of temperature [K]: ``25 K``, also typed as ``25 degC``."""
    plain = text.strip()
    for unit in ("degC", "°C", "℃", "C", "K"):
        if plain.endswith(unit):
            return parse(f"{plain.removesuffix(unit).strip()} kelvin", "kelvin", what=what)
    return parse(plain, "kelvin", what=what)


def changes_of(items: Iterable[str], option: str) -> dict[str, Any]:
    """``KEY=VALUE`` of an option as a mapping; values that are pure numbers as numbers.

    Raises
    ------
    click.UsageError
    """
    out: dict[str, Any] = {}
    for item in items:
        key, equals, value = (s.strip() for s in item.partition("="))
        if not equals or not key or not value:
            raise click.UsageError(f"{option} {item!r} is not NAME=VALUE, e.g. {option} 'length=45 m'.")
        if key in out:
            raise click.UsageError(f"{option} {key} is given twice.")
        try:
            out[key] = float(value)
        except ValueError:
            out[key] = value
    return out

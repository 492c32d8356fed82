"""How columns of a design are computed from columns of a table: a list of steps, plain enough for JSON.

A step names what it makes and works on columns of the table and on what earlier steps made. Missing inputs make it
missing, and so does a denominator of zero; an amount of zero needs no property of what is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..design import FloatArray, Ratio

#: Columns of a table by name: float64, or of texts the number of the level (-1 where empty or not known).
Env = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Step:
    """One computed column.

    Attributes
    ----------
    name : str
        What later steps and the design call it.
    how : str
        ``"ratio"``, ``"blend"``, ``"typed"``, ``"product"`` or the name of a formula; see `HOW`.
    args : mapping
        Of JSON kind.
    """

    name: str
    how: str
    args: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """As JSON."""
        return {"name": self.name, "how": self.how, "args": dict(self.args)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Step:
        """From JSON."""
        return cls(str(data["name"]), str(data["how"]), dict(data["args"]))

    @property
    def inputs(self) -> tuple[str, ...]:
        """Columns and steps it looks at, each once."""
        a = self.args
        if self.how == "ratio":
            names = [*a["numerator"], *a["denominator"]]
        elif self.how == "blend":
            names = [name for part in a["parts"] for name in (part[0], part[2])]
        elif self.how == "typed":
            names = [name for pair in a["pairs"] for name in (pair[0], pair[2])]
        else:
            names = [entry[0] for entry in a["inputs"].values()]
        return tuple(dict.fromkeys(names))

    def evaluate(self, env: Env) -> FloatArray:
        """Its values for every row of a table."""
        n = len(next(iter(env.values()))) if env else 0
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            if self.how in _BUILT_IN:
                out = _BUILT_IN[self.how](env, self.args, n)
            else:
                told = {key: slope * env[name] + offset for key, (name, slope, offset) in self.args["inputs"].items()}
                out = FORMULAS[self.how](**told, **self.args.get("constants", {}))
        out = np.asarray(out, dtype=np.float64)
        return np.where(np.isfinite(out), out, np.nan)


#: Formulas that are no ratio of linear forms, by name; filled by the modules of this package.
FORMULAS: dict[str, Callable[..., Any]] = {}


def formula(function: Callable[..., Any]) -> Callable[..., Any]:
    """Make a plain function available to steps under its name."""
    FORMULAS[function.__name__] = function
    return function


def linear(env: Env, form: Mapping[str, float], n: int, offset: float = 0.0) -> FloatArray:
    """``form . columns + offset``."""
    out = np.full(n, offset)
    for name, weight in form.items():
        out += weight * env[name]
    return out


def ratio_step(name: str, program: Ratio) -> Step:
    """A step that computes a `Ratio`."""
    args = {"numerator": dict(program.numerator), "denominator": dict(program.denominator),
            "scale": program.scale, "offset": program.offset}  # fmt: skip
    return Step(name, "ratio", args)


def _ratio(env: Env, args: Mapping[str, Any], n: int) -> FloatArray:
    over: FloatArray = linear(env, args["numerator"], n, args["offset"]) * args["scale"]
    if not args["denominator"]:
        return over
    under = linear(env, args["denominator"], n)
    out: FloatArray = over / np.where(under == 0.0, np.nan, under)
    return out


def _blend(env: Env, args: Mapping[str, Any], n: int) -> FloatArray:
    """Mean of a property by mass (or by volume: harmonic) over [amount, factor, property, factor] of each part."""
    total, over = np.zeros(n), np.zeros(n)
    for amount, factor, prop, scale in args["parts"]:
        mass = factor * env[amount]
        value = scale * env[prop]
        share = mass / value if args["harmonic"] else mass * value
        over += np.where(mass == 0.0, 0.0, share)
        total += mass
    under, above = (over, total) if args["harmonic"] else (total, over)
    out: FloatArray = above / np.where(under == 0.0, np.nan, under)
    return out


def _typed(env: Env, args: Mapping[str, Any], n: int) -> FloatArray:
    """Amount of what [amount, factor, text column, numbers of the levels that count] name."""
    out = np.zeros(n)
    for amount, factor, kind, levels in args["pairs"]:
        mass, code = factor * env[amount], env[kind]
        counts = np.where(code < 0, np.nan, np.isin(code, levels))
        out += np.where(mass == 0.0, 0.0, mass * counts)
    return out


def _product(env: Env, args: Mapping[str, Any], n: int) -> FloatArray:
    out = np.ones(n)
    for name, slope, offset in args["inputs"].values():
        out *= slope * env[name] + offset
    return out


_BUILT_IN = {"ratio": _ratio, "blend": _blend, "typed": _typed, "product": _product}


def run(steps: Sequence[Step], env: Env) -> Env:
    """Evaluate steps in order; their values stand beside the columns of the table."""
    out = dict(env)
    for step in steps:
        out[step.name] = step.evaluate(out)
    return out


def ordered(steps: Sequence[Step]) -> list[Step]:
    """Steps after those they look at."""
    waiting, out = {s.name: s for s in steps}, list[Step]()
    while waiting:
        ready = [s for s in waiting.values() if not any(name in waiting and name != s.name for name in s.inputs)]
        out += [waiting.pop(step.name) for step in ready]
    return out


def needed(steps: Sequence[Step], wanted: set[str]) -> list[Step]:
    """Only the steps that these need."""
    out: list[Step] = []
    for step in reversed(steps):
        if step.name in wanted:
            out.insert(0, step)
            wanted = wanted | set(step.inputs)
    return out

"""Solid-state reaction models f(alpha) and their integral g(alpha), by the ICTAC names.

d(alpha)/dt = A exp(-Ea/RT) f(alpha), g(alpha) = integral of d(alpha)/f. References: Vyazovkin et al., Thermochim.
Acta 520 (2011) 1-19 (doi:10.1016/j.tca.2011.03.034), table 1; truncated Sestak-Berggren: Sestak & Berggren,
Thermochim. Acta 3 (1971) 1-12. Kernels take a model as a code and three parameters (n, m, p).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import UnknownNameError, ValidityError, suggest
from ._kernels import conversion, f_alpha, g_alpha

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class ReactionModel:
    """A model with its parameters.

    Attributes
    ----------
    name : str
        ICTAC code with parameters: ``"F1"``, ``"F1.5"``, ``"A2"``, ``"R3"``, ``"D4"``, ``"SB(0.5,1.2,0)"``.
    code : int
        For kernels.
    n, m, p : float
        Parameters; 0 where the model has none.
    closed : bool
        Whether g and its inverse are known in closed form.
    ends : bool
        Whether the reaction is complete after a finite time (R, P, D, and F, SB, Bna with n below one): the rate law
        has a corner there.
    """

    name: str
    code: int
    n: float = 0.0
    m: float = 0.0
    p: float = 0.0

    @property
    def closed(self) -> bool:
        return self.code not in (CODES["SB"], CODES["Bna"])

    @property
    def ends(self) -> bool:
        if self.code in (CODES["F"], CODES["SB"], CODES["Bna"]):
            return self.n < 1.0
        return self.code != CODES["A"]

    @property
    def g_end(self) -> float:
        """g at completion, infinite where the reaction never ends."""
        if not self.closed:
            return float(self.knots()[1][-1])
        return float(g_alpha(self.code, 1.0, self.n, self.m, self.p))

    def f(self, alpha: ArrayLike) -> FloatArray:
        """Differential form."""
        return _each(f_alpha, self, alpha)

    def g(self, alpha: ArrayLike) -> FloatArray:
        """Integral form; for a model without closed form by Gauss-Legendre on graded panels (error below 1e-13).

        Raises
        ------
        ValidityError
            If the law never starts from zero conversion: SB with m + p of 1 or more.
        """
        if self.closed:
            return _each(g_alpha, self, alpha)
        return _open_g(self, np.asarray(alpha, dtype=np.float64))

    def alpha(self, g: ArrayLike) -> FloatArray:
        """Conversion at a value of the integral form, 1 once complete."""
        if self.closed:
            return _each(conversion, self, g)
        from ._integral_kernels import open_conversion

        knots = self.knots()
        values = np.asarray(g, dtype=np.float64)
        out = [open_conversion(self.code, v, self.n, self.m, self.p, *knots) for v in values.ravel()]
        return np.array(out).reshape(values.shape)

    def knots(self) -> tuple[FloatArray, FloatArray]:
        """Conversions from 0 to 1, denser at both ends, and g at each; for kernels, where no closed form exists."""
        return _knots(self)


def _each(function: object, model: ReactionModel, x: ArrayLike) -> FloatArray:
    values = np.asarray(x, dtype=np.float64)
    flat = np.array([function(model.code, v, model.n, model.m, model.p) for v in values.ravel()])  # type: ignore[operator]
    return flat.reshape(values.shape)


_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(20)
_NODES, _WEIGHTS = (_NODES + 1.0) / 2.0, _WEIGHTS / 2.0


def _f_open(model: ReactionModel, a: FloatArray, left: FloatArray) -> FloatArray:
    """f of a model without closed form from alpha and 1 - alpha, each exact near its own zero."""
    if model.code == CODES["Bna"]:
        return np.asarray(left**model.n * (1.0 + model.m * a))
    value = a**model.m * left**model.n
    if model.p:
        value = value * np.where(a < 0.5, -np.log1p(-np.minimum(a, 0.5)), -np.log(left)) ** model.p
    return np.asarray(value)


def _panel(model: ReactionModel, low: float, high: float, mirrored: bool) -> float:
    """Integral of 1/f between two conversions, or between two values of 1 - alpha."""
    x = low + _NODES * (high - low)
    a, left = (1.0 - x, x) if mirrored else (x, 1.0 - x)
    return float((_WEIGHTS / _f_open(model, a, left)).sum() * (high - low))


@cache
def _knots(model: ReactionModel) -> tuple[FloatArray, FloatArray]:
    power = model.m + model.p if model.code == CODES["SB"] else 0.0
    if power >= 1.0:
        raise ValidityError(
            f"{model.name}: m + p = {power:g}; from 1 upward the law never starts from zero conversion. Use Bna(n,k), "
            "whose reaction starts by itself, or a smaller m."
        )
    first = 2.0**-40
    rising = [first * 2.0**k for k in range(40)]  # 2^-40 ... 1/2
    falling = [2.0**-k for k in range(2, 53)]  # of 1 - alpha, from 1/4 down
    g = [0.0, first ** (1.0 - power) / (1.0 - power)]
    for low, high in pairwise(rising):
        g.append(g[-1] + _panel(model, low, high, False))
    for high, low in pairwise([0.5, *falling]):
        g.append(g[-1] + _panel(model, low, high, True))
    if model.n < 1.0:
        rest, left = 0.0, falling[-1]
        while left > 1e-280:
            rest += _panel(model, left / 2.0, left, True)
            left /= 2.0
        rest += left / float(_f_open(model, np.array(1.0 - left), np.array(left))) / (1.0 - model.n)
        g.append(g[-1] + rest)
    else:
        g.append(np.inf)
    alpha = np.array([0.0, *rising, *(1.0 - x for x in falling), 1.0])
    values = np.array(g)
    if not np.isfinite(values[:-1]).all():
        raise ValidityError(f"{model.name}: its parameters give no finite rate between 0 and 1.")
    alpha.setflags(write=False)
    values.setflags(write=False)
    return alpha, values


def _open_g(model: ReactionModel, alpha: FloatArray) -> FloatArray:
    knots, values = _knots(model)
    power = model.m + model.p if model.code == CODES["SB"] else 0.0
    out = []
    for a in np.clip(alpha, 0.0, 1.0).ravel():
        j = int(np.searchsorted(knots, a, side="right")) - 1
        if a == 1.0:
            out.append(values[-1])
        elif j == 0:
            out.append(a ** (1.0 - power) / (1.0 - power))
        elif a <= 0.5:
            out.append(values[j] + _panel(model, float(knots[j]), float(a), False))
        else:
            out.append(values[j] + _panel(model, 1.0 - float(a), 1.0 - float(knots[j]), True))
    return np.array(out).reshape(alpha.shape)


#: Code of each family, for kernels.
CODES = {"F": 0, "A": 1, "R": 2, "P": 3, "D1": 4, "D2": 5, "D3": 6, "D4": 7, "SB": 8, "Bna": 9}
#: Models of fixed form that fits try.
STANDARD = ("F1", "F2", "F3", "A2", "A3", "A4", "R2", "R3", "D1", "D2", "D3", "D4", "P2", "P3", "P4", "P2/3")

_NUMBER = r"(\d+(?:\.\d+)?(?:/\d+)?)"
_SIMPLE = re.compile(rf"^([FARP])_?{_NUMBER}$")
_SB = re.compile(r"^(SB|Bna)\(([^)]*)\)$")


def reaction_model(name: str) -> ReactionModel:
    """A model by its ICTAC name.

    Parameters
    ----------
    name : str
        ``F1``, ``F1.5`` (reaction order n), ``A2``–``A4`` or any ``An`` (Avrami-Erofeev), ``R1`` ``R2`` ``R3``
        (contracting, geometry), ``P2`` ``P3`` ``P4`` ``P2/3`` (power law), ``D1``–``D4`` (diffusion: 1-D, 2-D, Jander,
        Ginstling-Brounshtein), ``SB(m,n,p)`` = alpha^m (1-alpha)^n (-ln(1-alpha))^p, ``Bna(n,k)`` = autocatalytic
        (1-alpha)^n (1 + k alpha).

    Raises
    ------
    UnknownNameError
    """
    text = name.strip().replace(" ", "")
    if text in ("D1", "D2", "D3", "D4"):
        return ReactionModel(text, CODES[text])
    if match := _SIMPLE.match(text):
        top, _, bottom = match[2].partition("/")
        n = float(top) / float(bottom or 1)
        if match[1] == "R" and n not in (1.0, 2.0, 3.0):
            raise UnknownNameError(f"{name!r}: a contracting model is R1, R2 or R3.")
        if n <= 0 and match[1] != "F":
            raise UnknownNameError(f"{name!r}: the number must be above zero.")
        return ReactionModel(text, CODES[match[1]], n)
    if match := _SB.match(text):
        try:
            values = [float(v) for v in match[2].split(",")]
        except ValueError:
            values = []
        if match[1] == "SB" and len(values) in (2, 3):
            m, n, p = (*values, 0.0)[:3]
            return ReactionModel(text, CODES["SB"], n, m, p)
        if match[1] == "Bna" and len(values) == 2:
            return ReactionModel(text, CODES["Bna"], values[0], values[1])
    raise UnknownNameError(
        f"There is no reaction model {name!r}.{suggest(name, STANDARD)} Known: {', '.join(STANDARD)}, any Fn or An, "
        "SB(m,n,p), Bna(n,k)."
    )

"""Solid-state reaction models f(alpha) and their integral g(alpha), by the ICTAC names.

d(alpha)/dt = A exp(-Ea/RT) f(alpha), g(alpha) = integral of d(alpha)/f. References: Vyazovkin et al., Thermochim.
Acta 520 (2011) 1-19 (doi:10.1016/j.tca.2011.03.034), table 1; truncated Sestak-Berggren: Sestak & Berggren,
Thermochim. Acta 3 (1971) 1-12. Kernels take a model as a code and three parameters (n, m, p).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

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
        Whether the reaction is complete after a finite time (R2, R3, Fn below one): the rate law has a corner there.
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
        return self.code in (CODES["R"], CODES["P"]) or (self.code == CODES["F"] and self.n < 1.0) or self.code in (
            CODES["D1"], CODES["D2"], CODES["D3"], CODES["D4"],
        )  # fmt: skip

    def f(self, alpha: ArrayLike) -> FloatArray:
        """Differential form."""
        return _each(f_alpha, self, alpha)

    def g(self, alpha: ArrayLike) -> FloatArray:
        """Integral form (numerically integrated where no closed form exists)."""
        if not self.closed:
            from scipy.integrate import quad

            out = [quad(lambda x: 1.0 / float(self.f(x)), 0.0, a, limit=200)[0] for a in np.ravel(alpha)]
            return np.reshape(np.array(out), np.shape(alpha))
        return _each(g_alpha, self, alpha)

    def alpha(self, g: ArrayLike) -> FloatArray:
        """Conversion at a value of the integral form, 1 once complete."""
        if not self.closed:
            raise ValidityError(f"{self.name}: the conversion has no closed form; integrate it.")
        return _each(conversion, self, g)


def _each(function: object, model: ReactionModel, x: ArrayLike) -> FloatArray:
    values = np.asarray(x, dtype=np.float64)
    flat = np.array([function(model.code, v, model.n, model.m, model.p) for v in values.ravel()])  # type: ignore[operator]
    return flat.reshape(values.shape)


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

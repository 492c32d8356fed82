"""Thermal activation of kaolinitic wastes: metakaolinite made, water left, over-calcination, reactivity calibrated.

Amounts follow from stoichiometry and from conversions that kinetics or thermogravimetry give. Reactivity does not
follow from composition: it is calibrated on measured R3 tests (ASTM C1897), never assumed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ..chemistry.formulas import molar_mass
from ..chemistry.material import Material
from ..errors import MissingDataError, ValidityError
from ..provenance import Evidence, Source
from ._indicator import FloatArray, array_within, dataset

if TYPE_CHECKING:
    import xarray as xr

KAOLINITE = molar_mass("kaolinite")
WATER = 2.0 * molar_mass("H2O")
METAKAOLINITE = KAOLINITE - WATER
#: Water of kaolinite [kg/kg].
WATER_SHARE = WATER / KAOLINITE
AVET = Source(
    "F. Avet, R. Snellings, A. Alujas Diaz, M. Ben Haha, K. Scrivener, Cem. Concr. Res. 85 (2016) 1-11 (abstract): "
    "R3 heat and bound water correlate with strength for kaolinite contents of 0 to 95 %",
    Evidence.SECONDARY, doi="10.1016/j.cemconres.2016.02.015",
)  # fmt: skip
_LC3 = Source(
    "limestone calcined clay cement practice: from about 40 % calcined kaolinite the strength of the plain cement is "
    "met from 7 days", Evidence.MEMORY,
)  # fmt: skip
#: Calcined kaolinite above which LC3-50 is said to reach plain cement at 7 days [wt% of the calcined clay's raw mass].
LC3_KAOLINITE = 40.0
_STOICHIOMETRY = Source("stoichiometry of Al2Si2O5(OH)4 from standard atomic weights", Evidence.COMPUTED)


def kaolinite_from_mass_loss(loss: ArrayLike) -> FloatArray:
    """Kaolinite from the mass lost by dehydroxylation.

    Parameters
    ----------
    loss : array_like
        Mass loss of the dehydroxylation step alone [wt% of the sample before it], by the tangent method between about
        400 and 600 degC.

    Returns
    -------
    ndarray
        Kaolinite [wt%].

    Notes
    -----
    Two H2O per formula unit: 7.165 times the loss. Carbonate, carbon, illite, boehmite or pyrite in the same range
    must be taken off first; a loss above 13.96 wt% is more than pure kaolinite has and is refused.
    """
    given = array_within(loss, 0.0, 100.0 * WATER_SHARE * 1.005, "mass loss of kaolinite", "wt%")
    return np.asarray(np.minimum(given / WATER_SHARE, 100.0))


def calcined_kaolinite(raw: ArrayLike, remaining: ArrayLike, loss: ArrayLike) -> FloatArray:
    """Calcined kaolinite content: kaolinite of the raw clay less what is left of it after calcination.

    Parameters
    ----------
    raw : array_like
        Kaolinite of the raw material [wt%].
    remaining : array_like
        Kaolinite of the calcined material [wt% of the calcined mass].
    loss : array_like
        Mass loss of the calcination [wt% of the raw mass].

    Returns
    -------
    ndarray
        [wt% of the raw mass].
    """
    r = array_within(raw, 0, 100, "kaolinite of the raw material", "wt%")
    k = array_within(remaining, 0, 100, "kaolinite of the calcined material", "wt%")
    lost = array_within(loss, 0, 99, "mass loss of calcination", "wt%")
    out = r - k * (1.0 - lost / 100.0)
    if (out < -0.5).any():
        raise ValidityError(
            f"more kaolinite after calcination than before (difference {out.min():.3g} wt%): check the analyses."
        )
    return np.asarray(np.maximum(out, 0.0))


def activation_state(
    kaolinite: ArrayLike,
    dehydroxylation: ArrayLike,
    overcalcination: ArrayLike = 0.0,
    *,
    other_loss: ArrayLike = 0.0,
) -> xr.Dataset:
    """What a calcined kaolinitic material holds, from the conversions of its two steps.

    Parameters
    ----------
    kaolinite : float or array_like
        Kaolinite of the dry raw material [wt%].
    dehydroxylation : array_like
        Fraction of the kaolinite dehydroxylated [1].
    overcalcination : array_like
        Fraction of the metakaolinite formed that went on to spinel or mullite [1].
    other_loss : array_like
        Other mass loss so far (carbon, carbonates) [wt% of the dry raw material].

    Returns
    -------
    xarray.Dataset, dim "case"
        Per calcined mass [wt%]: ``kaolinite``, ``metakaolinite``, ``overcalcined``, ``LOI_left``, ``reactive_SiO2``,
        ``reactive_Al2O3``; ``loss`` [wt% of the raw mass]; ``active_fraction`` [1], metakaolinite over all that the
        kaolinite could give.

    Notes
    -----
    Arrays broadcast. ``LOI_left`` is the water of the kaolinite that is left only. Reactive oxides are those of
    metakaolinite, all counted as reactive; illite, feldspar and glass are not counted. The spinel or mullite stage is
    taken as inert; amorphous silica set free with it is not counted (some of it reacts: unknown).
    """
    k, a, b, other = np.broadcast_arrays(
        array_within(kaolinite, 0, 100, "kaolinite", "wt%"),
        array_within(dehydroxylation, 0, 1, "dehydroxylation", "1"),
        array_within(overcalcination, 0, 1, "overcalcination", "1"),
        array_within(other_loss, 0, 99, "other_loss", "wt%"),
    )
    k, a, b, other = (np.atleast_1d(x).ravel() for x in (k, a, b, other))
    if (k + other > 100 + 1e-9).any():
        raise ValidityError("kaolinite and other loss are more than 100 wt% together.")
    lost = k * a * WATER_SHARE + other
    mass = 100.0 - lost
    meta = k * a * (1 - b) * METAKAOLINITE / KAOLINITE
    over = k * a * b * METAKAOLINITE / KAOLINITE
    left = k * (1 - a)
    silica, alumina = 2 * molar_mass("SiO2") / METAKAOLINITE, molar_mass("Al2O3") / METAKAOLINITE
    scale = 100.0 / mass
    warnings = []
    if (b > 0.05).any():
        warnings.append("more than 5 % of the metakaolinite is over-calcined: lower the temperature or the time.")
    if (a < 0.95).any():
        warnings.append("less than 95 % dehydroxylated: kaolinite is left and does not react.")
    return dataset(
        "Activation of kaolinitic material",
        {
            "kaolinite": (("case",), left * scale, "wt%", "kaolinite left, per calcined mass"),
            "metakaolinite": (("case",), meta * scale, "wt%", "metakaolinite, per calcined mass"),
            "overcalcined": (("case",), over * scale, "wt%", "spinel, mullite and silica, per calcined mass"),
            "LOI_left": (("case",), left * WATER_SHARE * scale, "wt%", "water of the kaolinite left"),
            "reactive_SiO2": (("case",), meta * silica * scale, "wt%", "SiO2 of metakaolinite"),
            "reactive_Al2O3": (("case",), meta * alumina * scale, "wt%", "Al2O3 of metakaolinite"),
            "loss": (("case",), lost, "wt%", "mass loss, per raw mass"),
            "active_fraction": (("case",), a * (1 - b), "1", "metakaolinite over all kaolinite can give"),
        },
        [_STOICHIOMETRY],
        coords={"case": np.arange(len(k))},
        assumptions=("spinel and mullite count as inert", "minerals other than kaolinite do not react"),
        warnings=warnings,
        inputs=[k, a, b, other],
    )


def kaolinite_of(material: Material) -> float:
    """Kaolinite of a material [wt% dry] from its measured phases.

    Raises
    ------
    MissingDataError
        If no phase analysis is there; says what to measure.
    """
    q = material.phases.get("kaolinite")
    if q is None:
        raise MissingDataError(
            f"{material.id}: kaolinite is not known. Measure it (Rietveld XRD, or TG between 400 and 600 degC with "
            "`kaolinite_from_mass_loss`); it does not follow from Al2O3, which illite and feldspar hold too."
        )
    return q.value


@dataclass(frozen=True)
class ReactivityFit:
    """A line through measured R3 results: response = intercept + slope x calcined kaolinite.

    Attributes
    ----------
    intercept, slope : float
        [unit of the response] and [unit per wt%].
    sigma : float
        Residual standard deviation.
    r2 : float
    n : int
    low, high : float
        Range of calcined kaolinite it was fitted on [wt%]; predictions outside are refused.
    unit : str
    source : Source
    """

    intercept: float
    slope: float
    sigma: float
    r2: float
    n: int
    low: float
    high: float
    mean: float
    spread: float
    unit: str
    source: Source

    def predict(self, kaolinite: ArrayLike, *, interval: float = 0.9) -> xr.Dataset:
        """Response with its prediction interval.

        Parameters
        ----------
        kaolinite : array_like
            Calcined kaolinite [wt%].
        interval : float
            Probability of the interval.

        Raises
        ------
        ValidityError
            Outside the range of the calibration.
        """
        from scipy.stats import t as student

        x = np.atleast_1d(array_within(kaolinite, self.low, self.high, "calcined kaolinite (range of the fit)", "wt%"))
        p = float(array_within(interval, 0.0, 1.0, "interval", "1", inclusive=False))
        y = self.intercept + self.slope * x
        half = (
            student.ppf(0.5 + p / 2, self.n - 2)
            * self.sigma
            * np.sqrt(1.0 + 1.0 / self.n + (x - self.mean) ** 2 / self.spread)
        )
        return dataset(
            "Reactivity from calcined kaolinite",
            {
                "response": (("case",), y, self.unit, "R3 response"),
                "lower": (("case",), y - half, self.unit, f"lower end of the {p:g} prediction interval"),
                "upper": (("case",), y + half, self.unit, f"upper end of the {p:g} prediction interval"),
            },
            [self.source], coords={"case": np.arange(len(x))},
            assumptions=("linear over the range of the calibration", "same fineness and test as calibrated"),
            inputs=[x, self.intercept, self.slope],
        )  # fmt: skip


def fit_reactivity(
    kaolinite: ArrayLike, response: ArrayLike, *, unit: str = "J/g", source: Source | None = None
) -> ReactivityFit:
    """Calibrate the R3 response against calcined kaolinite on one's own clays.

    Parameters
    ----------
    kaolinite : array_like
        Calcined kaolinite [wt%] of at least four clays that differ.
    response : array_like
        Cumulative heat [J/g of SCM] or bound water [g/100 g] by ASTM C1897 (40 degC; name the age in `source`).
    unit : str
    source : Source, optional
        Where the measurements come from; by default the user's own (evidence ``recipe``).

    Returns
    -------
    ReactivityFit

    Raises
    ------
    MissingDataError
        For fewer than four clays or clays of one kaolinite content.

    Notes
    -----
    No coefficients are shipped: slope and intercept depend on age, temperature, fineness and calorimeter, and none
    were read in a source. That the relation is linear and tight for kaolinitic clays is the finding of Avet et al.

    References
    ----------
    Avet et al., Cem. Concr. Res. 85 (2016) 1-11, doi:10.1016/j.cemconres.2016.02.015. ASTM C1897.
    """
    x = np.atleast_1d(array_within(kaolinite, 0, 100, "calcined kaolinite", "wt%"))
    y = np.atleast_1d(array_within(response, 0, 1e4, "R3 response", unit))
    if x.shape != y.shape or x.ndim != 1:
        raise ValidityError(f"kaolinite {x.shape} and response {y.shape} do not match; give one value each per clay.")
    if len(x) < 4 or np.ptp(x) < 5:
        raise MissingDataError(
            f"R3 calibration: {len(x)} clays over {np.ptp(x):g} wt% kaolinite; at least four over 5 wt% are needed. "
            "Measure R3 heat or bound water (ASTM C1897) on more clays."
        )
    mean, spread = float(x.mean()), float(((x - x.mean()) ** 2).sum())
    slope = float(((x - mean) * (y - y.mean())).sum() / spread)
    intercept = float(y.mean() - slope * mean)
    residual = y - intercept - slope * x
    total = float(((y - y.mean()) ** 2).sum())
    return ReactivityFit(
        intercept, slope, float(np.sqrt((residual**2).sum() / (len(x) - 2))),
        1.0 - float((residual**2).sum()) / total if total > 0 else 0.0,
        len(x), float(x.min()), float(x.max()), mean, spread, unit,
        source or Source("R3 measurements of the user (ASTM C1897)", Evidence.RECIPE),
    )  # fmt: skip


def reactivity(kaolinite: ArrayLike, calibration: ReactivityFit | None = None, **options: Any) -> xr.Dataset:
    """R3 response of calcined clays, if there is a calibration.

    Raises
    ------
    MissingDataError
        Without a calibration: reactivity is unknown, and what to measure.
    """
    if calibration is None:
        raise MissingDataError(
            "reactivity is unknown: measure R3 heat or bound water (ASTM C1897, 40 degC) on the calcined material, or "
            "on four or more clays and calibrate with `fit_reactivity`."
        )
    return calibration.predict(kaolinite, **options)


def lc3_suitability(kaolinite: ArrayLike) -> xr.Dataset:
    """Margin of the calcined kaolinite content over what limestone calcined clay cement is said to need.

    Returns
    -------
    xarray.Dataset, dim "case"
        ``margin`` [wt%] over 40 wt%, ``enough`` (bool). From memory; strength is to be tested.
    """
    x = np.atleast_1d(array_within(kaolinite, 0, 100, "calcined kaolinite", "wt%"))
    return dataset(
        "Calcined kaolinite for limestone calcined clay cement",
        {
            "margin": (("case",), x - LC3_KAOLINITE, "wt%", f"over {LC3_KAOLINITE:g} wt%"),
            "enough": (("case",), x >= LC3_KAOLINITE, "1", "whether the margin is positive"),
        },
        [_LC3, AVET], coords={"case": np.arange(len(x))},
        warnings=["a rule of practice from memory: test mortar strength."], inputs=[x],
    )  # fmt: skip


__all__ = [
    "ReactivityFit",
    "activation_state",
    "calcined_kaolinite",
    "fit_reactivity",
    "kaolinite_from_mass_loss",
    "kaolinite_of",
    "lc3_suitability",
    "reactivity",
]

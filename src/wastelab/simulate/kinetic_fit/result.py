"""`KineticFit`: what a fit found, as tables, text, a triplet for simulations, and predictions."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...errors import MissingDataError, UnknownNameError, ValidityError, suggest
from ...i18n import DEFAULT
from ...provenance import Evidence, Source
from ..heating import TemperatureProgram, as_program
from .checks import Finding
from .conversion import Conversion
from .isoconversional import Energies, Kissinger
from .master_plots import Compensation, MasterPlots
from .model_fit import ModelFit
from .predict import AUDIT_RATE, dtg_peak, program_conversion
from .words import word

if TYPE_CHECKING:
    import pandas as pd
    import xarray as xr

    from ...reference.kinetics import Triplet

FloatArray = NDArray[np.float64]

#: A predicted peak this close to the measured one agrees with it [K].
PEAK_TOLERANCE_K = 5.0


@dataclass(frozen=True)
class PeakAudit:
    """The DTG peak of a triplet at 10 K/min beside the measured one.

    Attributes
    ----------
    predicted_K, measured_K : float or None
        Measured: by the Kissinger line through the peaks of the runs, or of a run at that rate; None where it cannot be
        said.
    agrees : bool or None
    how : str
        Where the measured peak is from.
    how_zh : str
        The same in Chinese.
    """

    predicted_K: float | None
    measured_K: float | None
    agrees: bool | None
    how: str
    how_zh: str = ""

    def how_in(self, lang: str = DEFAULT) -> str:
        """`how` in a language."""
        return self.how_zh if lang == "zh" and self.how_zh else self.how


@dataclass(frozen=True)
class KineticFit:
    """Result of `fit_kinetics`.

    Attributes
    ----------
    conversions : tuple of Conversion
        The runs as fitted.
    alpha : ndarray, shape (k,)
    temperature_K, rate : ndarray, shape (k, n)
        Of each run at each conversion [K], [1/s].
    energies : dict of str to Energies
        By method, in J/mol.
    kissinger : Kissinger or None
    master : MasterPlots or None
    compensation : Compensation or None
    fits : tuple of ModelFit
        The preferred first, the others by AICc.
    failed : dict of str to str
        Models that could not be fitted, and why.
    warnings : tuple of Finding
    settings : dict
    confidence : float
    """

    conversions: tuple[Conversion, ...]
    alpha: FloatArray
    temperature_K: FloatArray
    rate: FloatArray
    energies: dict[str, Energies]
    kissinger: Kissinger | None
    master: MasterPlots | None
    compensation: Compensation | None
    fits: tuple[ModelFit, ...]
    failed: dict[str, str]
    warnings: tuple[Finding, ...]
    settings: dict[str, Any]
    confidence: float

    @property
    def best(self) -> ModelFit:
        """The preferred model: lowest AICc, or fewer parameters where the data do not tell them apart."""
        if not self.fits:
            why = "; ".join(dict.fromkeys(self.failed.values())) or "models=None; fit again with models"
            raise MissingDataError(f"No model was fitted ({why}).")
        return self.fits[0]

    def fit_of(self, family: str | None = None) -> ModelFit:
        """The fit of a family (``"A2"``, ``"Fn"``), the best by default."""
        if family is None:
            return self.best
        for fit in self.fits:
            if family in (fit.family, fit.model.name):
                return fit
        known = [f.family for f in self.fits]
        raise UnknownNameError(f"Model {family!r} was not fitted.{suggest(family, known)} Fitted: {', '.join(known)}.")

    @property
    def ea(self) -> xr.Dataset:
        """Ea by method and conversion with standard error and interval [kJ/mol]; ``ln_Af`` [ln 1/s] of Friedman."""
        import xarray as xr

        if not self.energies:
            why = "; ".join(w.text for w in self.warnings if w.code == "method_failed")
            raise MissingDataError(why or "One heating rate gives no isoconversional energy; measure at three or more.")
        per_method = {
            name: np.array([getattr(e, attr) for e in self.energies.values()]) / 1e3
            for name, attr in (("Ea", "Ea"), ("Ea_se", "se"), ("Ea_low", "low"), ("Ea_high", "high"))
        }
        data: dict[str, Any] = {k: (("by", "alpha"), v, {"units": "kJ/mol"}) for k, v in per_method.items()}
        data["temperature"] = (("alpha", "run"), self.temperature_K, {"units": "K"})
        data["rate"] = (("alpha", "run"), self.rate, {"units": "1/s"})
        data["heating_rate"] = (("run",), np.array([60 * c.beta for c in self.conversions]), {"units": "K/min"})
        if "friedman" in self.energies:
            data["ln_Af"] = (("alpha",), self.energies["friedman"].intercept, {"units": "ln(1/s)"})
        if self.compensation is not None:
            data["ln_A_compensation"] = (("alpha",), self.compensation.ln_A, {"units": "ln(1/s)"})
        coords = {
            "by": list(self.energies), "alpha": ("alpha", self.alpha, {"units": "1"}),
            "run": [c.name for c in self.conversions],
        }  # fmt: skip
        return xr.Dataset(data, coords, self._attrs())

    @property
    def models(self) -> pd.DataFrame:
        """Fitted models, best first: Ea [kJ/mol] and ln A [ln 1/s] with standard error and interval, n, m, AICc."""
        import pandas as pd

        rows = []
        lowest = min((f.aicc for f in self.fits), default=0.0)
        weights = np.exp(-0.5 * np.array([f.aicc - lowest for f in self.fits]))
        for fit, weight in zip(self.fits, weights, strict=True):
            row: dict[str, Any] = {"model": fit.family, "fitted": fit.model.name}
            for p in fit.parameters:
                row |= {p.name: p.value, f"{p.name}_se": p.se, f"{p.name}_low": p.low, f"{p.name}_high": p.high}
            row |= {"rmse": fit.rmse, "aicc": fit.aicc, "delta_aicc": fit.aicc - lowest,
                    "weight": weight / weights.sum(), "converged": fit.converged}  # fmt: skip
            rows.append(row)
        return pd.DataFrame(rows)

    def mean_Ea(self, method: str | None = None) -> tuple[float, float]:
        """Mean isoconversional Ea and its standard deviation over conversion [kJ/mol]."""
        name = method or next(iter(self.energies), None)
        if name is None or name not in self.energies:
            raise UnknownNameError(
                f"No isoconversional energy by {method!r}; there are {', '.join(self.energies) or 'none'}."
            )
        values = self.energies[name].Ea / 1e3
        return float(values.mean()), float(values.std(ddof=1))

    def audit(self, family: str | None = None) -> PeakAudit:
        """The peak that the triplet predicts at 10 K/min beside the measured one."""
        fit = self.fit_of(family)
        start = max(fit_start(self), 1e-6)
        try:
            predicted = dtg_peak(fit.A, fit.Ea, fit.model, start=start)
        except ValidityError as error:
            return PeakAudit(None, None, False, str(error))
        near = min(self.conversions, key=lambda c: abs(np.log(c.beta / AUDIT_RATE)))
        values: dict[str, object] = {}
        if self.kissinger is not None and self.kissinger.Ea > 0:
            measured = self.kissinger.peak_at(AUDIT_RATE)
            inside = min(self.kissinger.beta) <= 1.02 * AUDIT_RATE and max(self.kissinger.beta) >= 0.98 * AUDIT_RATE
            key = "how_line" if inside else "how_beyond"
        elif abs(np.log(near.beta / AUDIT_RATE)) < 0.05:
            measured, key, values = near.peak_K, "how_run", {"run": near.name}
        else:
            predicted = dtg_peak(fit.A, fit.Ea, fit.model, near.beta, start=start)
            measured, key, values = near.peak_K, "how_only", {"rate": f"{60 * near.beta:.3g}"}
        agrees = abs(predicted - measured) <= PEAK_TOLERANCE_K
        return PeakAudit(predicted, measured, agrees, word(key, **values), word(key, "zh", **values))

    def triplet(
        self, family: str | None = None, *, id: str = "fitted", process: str = "", reaction: str = ""
    ) -> Triplet:
        """The triplet of a model, for ``wastelab.calcine(..., triplets={reaction_id: fit.triplet()})``.

        Parameters
        ----------
        family : str, optional
            Model; the best by default.
        id, process, reaction : str
            What it is of.
        """
        from ...reference.kinetics import Triplet

        fit, peak = self.fit_of(family), self.audit(family)
        severe = [w.code for w in self.warnings if w.severity == "severe"]
        said = (
            f"peak at 10 K/min {peak.predicted_K:.0f} K, measured {peak.measured_K:.0f} K"
            if peak.predicted_K is not None and peak.measured_K is not None
            else peak.how
        )
        return Triplet(
            id=id,
            process=process,
            reaction=reaction,
            A=fit.A,
            Ea=fit.Ea,
            model=fit.model.name,
            T_low=float(self.temperature_K.min()),
            T_high=float(self.temperature_K.max()),
            default=bool(peak.agrees) and not severe,
            source=Source(_source(self), Evidence.PRIMARY),
            note=said + (f"; findings: {', '.join(severe)}" if severe else ""),
        )

    def uncertainty(self, family: str | None = None) -> tuple[float, float, float]:
        """Standard errors of ln A [ln 1/s] and Ea [J/mol], and their correlation.

        For ``wastelab.calcine(..., uncertainty={reaction_id: fit.uncertainty()})``.
        """
        fit = self.fit_of(family)
        return fit["ln_A"].se, 1e3 * fit["Ea"].se, float(fit.correlation[0, 1])

    def predict(
        self, program: TemperatureProgram | str | tuple[ArrayLike, ArrayLike], times: ArrayLike | None = None, *,
        by: Literal["model", "friedman"] = "model", family: str | None = None, points: int = 400,
    ) -> xr.Dataset:  # fmt: skip
        """Conversion over another temperature program.

        Parameters
        ----------
        program : str, TemperatureProgram, (time [s], temperature [K])
        times : array_like, optional
            [s]; evenly spaced by default.
        by : {"model", "friedman"}
            With the triplet, or model-free with Ea(alpha) and A f(alpha) of Friedman, held beyond the ends of alpha.
        family : str, optional
            Model; the best by default.
        points : int

        Returns
        -------
        xarray.Dataset
            ``alpha`` and ``temperature`` over ``time``; attrs["warnings"] says where it extrapolates.
        """
        import xarray as xr

        plan = as_program(program)
        t = np.linspace(0.0, plan.duration_s, points) if times is None else np.asarray(times, dtype=np.float64)
        if by == "friedman":
            alpha = self._model_free(plan, t)
        elif by == "model":
            fit = self.fit_of(family)
            alpha = program_conversion(plan, t, fit.A, fit.Ea, fit.model)
        else:
            raise ValidityError(f"by = {by!r} is unknown; give 'model' or 'friedman'.")
        said = []
        low, high = float(self.temperature_K.min()), float(self.temperature_K.max())
        going = plan.at(t)[(alpha > 0.02) & (alpha < 0.98)]
        if going.size and (going.min() < low - 30 or going.max() > high + 30):
            said.append(
                f"the reaction runs at {going.min():.0f}-{going.max():.0f} K here, measured were {low:.0f}-{high:.0f} K"
            )
        said += [w.text for w in self.warnings if w.severity == "severe"]
        return xr.Dataset(
            {
                "alpha": (("time",), alpha, {"units": "1", "long_name": "conversion"}),
                "temperature": (("time",), plan.at(t), {"units": "K"}),
            },
            {"time": ("time", t, {"units": "s"})},
            {"program": str(plan), "by": by, "model": self.fit_of(family).model.name if by == "model" else "",
             "warnings": "\n".join(said), "input_sha256": self.input_sha256},
        )  # fmt: skip

    def _model_free(self, plan: TemperatureProgram, t: FloatArray) -> FloatArray:
        """Time to each conversion by integrating exp(-Ea/RT)/exp(ln A f) d(alpha), level by level."""
        from .integrals import R, gauss_times

        if "friedman" not in self.energies:
            raise MissingDataError("Model-free prediction needs the method 'friedman'; fit again with it.")
        e = self.energies["friedman"]
        edges = np.unique(np.concatenate([np.linspace(0.0, max(t[-1], 1e-9), 3000), t, plan.time_s]))
        nodes, weights = gauss_times(edges)
        inverse = 1.0 / plan.at(nodes)
        out = np.empty(edges.size)
        bounds = np.concatenate([[0.0], 0.5 * (self.alpha[1:] + self.alpha[:-1]), [1.0]])
        alpha, k = 0.0, 0
        done = 0.0  # share of the current level that is over
        for i in range(edges.size):
            out[i] = alpha
            if i == edges.size - 1:
                break
            left = 1.0
            while left > 0.0 and k < self.alpha.size:
                # within a level the rate is constant in alpha at one temperature: d(alpha) = exp(ln Af - Ea/RT) dt
                gain = left * float((np.exp(e.intercept[k] - e.Ea[k] / R * inverse[i]) * weights[i]).sum())
                room = bounds[k + 1] - bounds[k] - done
                if gain < room:
                    done += gain
                    alpha += gain
                    left = 0.0
                else:
                    left *= 1.0 - room / gain
                    alpha, k, done = float(bounds[k + 1]), k + 1, 0.0
        return np.interp(t, edges, out)

    def report(self, lang: str = DEFAULT) -> str:
        """All of it as text, in the language ``"en"`` or ``"zh"``."""
        from .report import report

        return report(self, lang)

    def fit_report(self, family: str | None = None, lang: str = DEFAULT) -> str:
        """Parameters, errors, correlations and statistics of one model."""
        from .report import fit_report

        return fit_report(self.fit_of(family), self.confidence, lang)

    def to_dataset(self) -> xr.Dataset:
        """Energies, curves at the conversions, and the ranked models, in one Dataset that netCDF can hold."""
        import xarray as xr

        data = self.ea if self.energies else xr.Dataset(attrs=self._attrs())
        if self.fits:
            numbers = {"Ea": "kJ/mol", "Ea_se": "kJ/mol", "Ea_low": "kJ/mol", "Ea_high": "kJ/mol", "ln_A": "ln(1/s)",
                       "ln_A_se": "ln(1/s)", "rmse": "1", "aicc": "1"}  # fmt: skip
            table = self.models
            data = data.assign_coords(model=list(table["model"]))
            for column, unit in numbers.items():
                data[f"model_{column}"] = (("model",), table[column].to_numpy(dtype=float), {"units": unit})
            data["model_name"] = (("model",), table["fitted"].to_numpy(dtype=str), {"units": ""})
        return data

    def plot(self, kind: str = "summary", **options: Any) -> Any:
        """A matplotlib figure: ``"summary"``, ``"energies"``, ``"curves"``, ``"residuals"`` or ``"master"``.

        Drawn by `wastelab.plotting.kinetics.kinetic_figure`, which the options go to (``lang="zh"``, ``model="A2"``).
        """
        from ...plotting.kinetics import kinetic_figure  # the one arrow upward: a result draws itself

        return kinetic_figure(self, kind, **options)

    @property
    def input_sha256(self) -> str:
        """Of all curves together."""
        return hashlib.sha256("".join(c.sha256 for c in self.conversions).encode()).hexdigest()

    def _attrs(self) -> dict[str, Any]:
        from ... import __version__

        return {
            "title": "kinetic fit", "settings": json.dumps(self.settings),
            "warnings": "\n".join(map(str, self.warnings)), "input_sha256": self.input_sha256,
            "versions": json.dumps({"wastelab": __version__, "numpy": np.__version__}), "evidence": "computed",
            "source": "ICTAC recommendations, doi:10.1016/j.tca.2011.03.034",
            "assumptions": "one reaction in the window; conversion from the change of the signal",
        }  # fmt: skip

    def __str__(self) -> str:
        return self.report()


def fit_start(fit: KineticFit) -> float:
    """Conversion at which the fitted points begin, mean over runs [-]."""
    return float(fit.alpha[0])


def _source(fit: KineticFit) -> str:
    rates = ", ".join(f"{60 * c.beta:.3g}" for c in fit.conversions)
    return f"fitted to {len(fit.conversions)} runs at {rates} K/min (data sha256 {fit.input_sha256[:12]})"

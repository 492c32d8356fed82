"""Kinetics from measured TG and DSC: isoconversional energies, triplets with intervals, ICTAC checks.

See `fit_kinetics`. Conversion of one curve: `convert`; overlapping steps: `deconvolve`, `fit_parallel`.
"""

from .checks import Finding
from .conversion import Conversion, convert
from .curves import Run, read_run
from .deconvolution import Deconvolution, deconvolve
from .fit import conversions, fit_kinetics, steps
from .isoconversional import (
    friedman,
    kissinger,
    kissinger_akahira_sunose,
    ozawa_flynn_wall,
    starink,
    vyazovkin,
    vyazovkin_incremental,
)
from .methods import METHODS
from .model_fit import ModelFit
from .parallel import ParallelFit, fit_parallel
from .predict import dtg_peak
from .result import KineticFit

__all__ = [
    "METHODS",
    "Conversion",
    "Deconvolution",
    "Finding",
    "KineticFit",
    "ModelFit",
    "ParallelFit",
    "Run",
    "conversions",
    "convert",
    "deconvolve",
    "dtg_peak",
    "fit_kinetics",
    "fit_parallel",
    "friedman",
    "kissinger",
    "kissinger_akahira_sunose",
    "ozawa_flynn_wall",
    "read_run",
    "starink",
    "steps",
    "vyazovkin",
    "vyazovkin_incremental",
]

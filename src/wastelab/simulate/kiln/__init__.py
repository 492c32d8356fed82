"""Equipment that heats wastes: muffle furnace, flash calciner and rotary kiln, with heat balance, fuel and CO2."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .equipment import Preset, preset, presets
from .result import BalanceError, ConvergenceError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["BalanceError", "ConvergenceError", "Preset", "kiln", "preset", "presets"]


def kiln(mix: Any = None, equipment: str = "rotary_kiln", **options: Any) -> xr.Dataset:
    """Heat a mix in an equipment: dispatches to `muffle`, `flash` or `rotary`.

    Parameters
    ----------
    mix : Material or other mix, optional
        Its minerals are used where ``phases`` does not name them.
    equipment : str
        A preset of ``datasets/equipment``, or ``"rotary_kiln"``, ``"flash"``, ``"muffle"`` for the usual ones.
    **options
        Of `muffle.muffle`, `flash.flash` or `rotary.rotary`.

    Returns
    -------
    xarray.Dataset

    Raises
    ------
    UnknownNameError
        For an unknown equipment; suggests a near one.

    Examples
    --------
    >>> wl.kiln(phases={"calcite": 77, "kaolinite": 10, "quartz": 10, "hematite": 3}, target="1450 degC")
    """
    kind = preset(equipment).kind
    if kind == "rotary":
        from .rotary import rotary

        return rotary(mix, equipment, **options)
    if kind == "flash":
        from .flash import flash

        return flash(mix, equipment, **options)
    from .muffle import muffle

    return muffle(mix, equipment=equipment, **options)

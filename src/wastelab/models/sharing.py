"""Whether a property gains from looking at what the models of other properties expect of a mix.

The other model's value of a training row is its prediction without the mix (out of fold), so that a new mix gets the
same kind of number. Kept only where the error on unseen mixes is smaller in nearly all draws of whole mixes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from ..errors import ModelError
from .comparison import Difference, paired_difference
from .design import FloatArray
from .table import TrainingData

if TYPE_CHECKING:
    from .property_model import Progress, PropertyModel

#: Share of the draws of mixes (or sources) in which the error must be smaller.
NEEDED = 0.9


@dataclass(frozen=True)
class Sharing:
    """What looking at other properties changed.

    Attributes
    ----------
    others : tuple of str
        Properties that were looked at.
    difference : Difference or None
        With them (A) against alone (B), on unseen mixes or sources; None where there are too few to say.
    used : bool
    """

    others: tuple[str, ...]
    difference: Difference | None
    used: bool

    def said(self, target: str, unit: str) -> tuple[str, dict[str, str | int | float]]:
        """Key of the notice, and what stands in it."""
        if self.difference is None:
            return "several.few_to_share", {"target": target}
        d = self.difference
        values: dict[str, str | int | float] = {
            "target": target, "others": ", ".join(self.others), "shared": f"{d.rmse_a:.3g}", "alone": f"{d.rmse_b:.3g}",
            "unit": unit, "share": f"{d.share_a_better:.0%}",
        }  # fmt: skip
        return ("several.shared", values) if self.used else ("several.not_shared", values | {"needed": f"{NEEDED:.0%}"})

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return asdict(self) | {
            "others": list(self.others),
            "difference": None if self.difference is None else self.difference.to_dict(),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Sharing:
        """Inverse of `to_dict`."""
        given = values["difference"]
        difference = None if given is None else Difference.from_dict(given)
        return cls(tuple(values["others"]), difference, bool(values["used"]))


def predicted_name(target: str) -> str:
    """Column that holds what is expected of another property."""
    return f"predicted {target}"


def share(
    alone: PropertyModel, data: TrainingData, expected: Mapping[str, FloatArray], progress: Progress | None = None
) -> tuple[PropertyModel, Sharing]:
    """The better of a model alone and one that looks at other properties.

    Parameters
    ----------
    alone : PropertyModel
        Fitted to `data`.
    data : TrainingData
    expected : mapping of str to ndarray, shape (n_rows,)
        By property, what its model expects of each row without having seen the mix.
    progress : callable, optional

    Returns
    -------
    PropertyModel, Sharing
    """
    others = tuple(expected)
    table = data.features.assign(**{predicted_name(name): values for name, values in expected.items()})
    shared = type(alone)(**alone.get_params()).fit(replace(data, features=table), progress=progress)
    frames = [m.oof_ if m.oof_source_ is None else m.oof_source_ for m in (shared, alone)]
    groups = data.mix if alone.oof_source_ is None or data.source is None else data.source
    try:
        difference = paired_difference(frames[0], frames[1], groups, seed=alone.random_state)
    except ModelError:  # fewer than five groups
        return alone, Sharing(others, None, False)
    used = difference.difference < 0 and difference.share_a_better >= NEEDED
    return (shared if used else alone), Sharing(others, difference, used)

"""Fits the models that come with wastelab again: ``python tests/models/make_shipped_models.py``."""

from __future__ import annotations

from pathlib import Path

import wastelab as wl

FOLDER = Path(__file__).parents[2] / "datasets" / "models"
STATED = {
    "method": "cylinders of 150 mm, as usually said of this set (from memory); curing not stated",
    "citation": "I.-C. Yeh, Cement and Concrete Research 28 (1998) 1797-1808, doi:10.1016/S0008-8846(98)00165-3",
    "evidence": "secondary",
    "years": "1998 or earlier",
    "note": "One table of several sources that it does not tell apart; no chemistry of cement, slag or ash.",
}


def concrete_strength() -> wl.PropertyModel:
    """Compressive strength of concrete with slag and fly ash, from the table of Yeh."""
    model = wl.PropertyModel("compressive_strength").fit(wl.training_set("uci_concrete"))
    model.card_ = model.card(stated=STATED)
    return model


if __name__ == "__main__":
    folder = FOLDER / "concrete_strength"
    concrete_strength().save(folder, with_data=True, overwrite=True)
    print(folder)

"""What a property model makes of the name of its property: whether it may fall with age or be negative."""

import numpy as np
import pandas as pd
import pytest

from wastelab.errors import ModelError
from wastelab.models import PropertyModel


def table(target: str, n: int = 16) -> pd.DataFrame:
    """Synthetic: mixes at two ages, a straight line."""
    rng = np.random.default_rng(4)
    frame = pd.DataFrame({"cement_kg_m3": rng.uniform(250, 450, n), "water_kg_m3": rng.uniform(150, 200, n)})
    frame["mix_id"] = np.arange(n)
    frame = frame.loc[np.repeat(np.arange(n), 2)].reset_index(drop=True)
    frame["age_d"] = np.tile([7.0, 28.0], n)
    frame[target] = 0.1 * frame["cement_kg_m3"] + 4 * np.log(frame["age_d"]) + rng.normal(size=2 * n)
    return frame


@pytest.mark.parametrize("name", ["fc_MPa", "UCS_MPa", "R28_MPa", "抗压(MPa)"])
def test_strengths_by_symbol_neither_fall_nor_are_negative(name):
    model = PropertyModel(name, learner="ridge", protocols=()).fit(table(name), mix="mix_id")
    assert model.bounded_ and model.builder_.features_[-1].monotone == 1
    assert not any("not known as a strength" in n for n in model.builder_.notices_)


def test_a_property_in_mpa_of_another_name_is_free_and_said_to_be():
    model = PropertyModel("kp_MPa", learner="ridge", protocols=()).fit(table("kp_MPa"), mix="mix_id")
    assert not model.bounded_ and model.builder_.features_[-1].monotone == 0
    assert any("'kp' is in MPa but is not known as a strength" in n for n in model.builder_.notices_)


def test_tests_of_age_zero_are_refused():
    frame = table("strength_MPa")
    frame.loc[5, "age_d"] = 0.0
    with pytest.raises(ModelError, match=r"age.* 0"):
        PropertyModel("strength_MPa", learner="ridge", protocols=()).fit(frame, mix="mix_id")

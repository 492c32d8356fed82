"""Judging against limits: rounding, intervals, methods, rules, and every shipped limit."""

import json
from decimal import Decimal

import numpy as np
import pytest
from scipy.stats import norm

from wastelab.chemistry import Quantity
from wastelab.errors import DatasetError, UnitError, UnknownNameError
from wastelab.provenance import Evidence, Source
from wastelab.reference import material
from wastelab.standards import (
    Property,
    Status,
    judge,
    judge_waste_leaching,
    list_standards,
    load_grade,
    load_standard,
    round_half_even,
)
from wastelab.standards.schema import standard_from_data

MAIN = "GB 6566-2010/main_structure"


def status(value, grade=MAIN, name="I_gamma", **other):
    verdicts = judge({name: value}, grade, **other).verdicts
    return next(v for v in verdicts if v.limit.property == name).status


# GB/T 8170 rounds half to even; GB 6566-2010 reports one decimal, so 1.04 is reported 1.0 and passes
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1.0, "pass"),
        (1.04, "pass"),
        (1.05, "pass"),
        (1.0500001, "fail"),
        (1.06, "fail"),
        (1.1, "fail"),
        (0.0, "pass"),
    ],
)
def test_rounding_is_part_of_the_limit(value, expected):
    assert status(value) == expected


@pytest.mark.parametrize(
    ("value", "decimals", "expected"),
    [(1.05, 1, "1.0"), (1.15, 1, "1.2"), (1.25, 1, "1.2"), (2.5, 0, "2"), (3.5, 0, "4"), (1.051, 1, "1.1")],
)
def test_half_to_even(value, decimals, expected):
    assert str(round_half_even(value, decimals)) == expected


def all_limits():
    return [
        limit for name in list_standards() for grade in load_standard(name).grades.values() for limit in grade.limits
    ]


def test_every_limit_has_source_evidence_and_licence():
    limits = all_limits()
    assert len(limits) > 700
    for limit in limits:
        assert limit.source.text and limit.source.licence
        assert limit.source.evidence in tuple(Evidence)
        assert limit.property and limit.label
        if limit.numeric:
            assert limit.value is not None


def test_acceptance_is_round_and_compare():
    """Twin: for every numeric limit, the acceptance interval equals rounding a value and comparing it."""
    seen = set()
    for limit in all_limits():
        key = (limit.op, limit.value, limit.value2, limit.decimals)
        if not limit.numeric or key in seen:
            continue
        seen.add(key)
        window = limit.acceptance()
        ends = [limit.value] if limit.value2 is None else [limit.value, limit.value2]
        unit = Decimal(1).scaleb(-(limit.decimals if limit.decimals is not None else 3))
        for end in ends:
            for step in range(-30, 31):
                raw = Decimal(repr(end)) + unit * Decimal(step) / 20
                reported = raw if limit.decimals is None else round_half_even(raw, limit.decimals)
                low, high = Decimal(repr(limit.value)), Decimal(repr(limit.value2 or limit.value))
                passes = {
                    "<=": reported <= low, "<": reported < low, ">=": reported >= low, ">": reported > low,
                    "range": low <= reported <= high,
                }[limit.op]  # fmt: skip
                assert window.contains(float(raw)) == passes, (limit, raw)


def test_lower_bound_exists():
    # GB 175-2023: 45 um residue >= 5 % limits over-grinding
    assert status(4.0, "GB 175-2023/P_O", "residue_45um") == "fail"
    assert status(6.0, "GB 175-2023/P_O", "residue_45um") == "pass"


def test_range_ends_belong_to_it():
    for value, expected in ((300, "pass"), (400, "pass"), (299.9, "fail"), (400.1, "fail")):
        assert status(value, "GB 175-2023/P_I", "blaine") == expected


def test_interval_that_straddles_is_unknown():
    assert status(Property(1.0, low=0.9, high=1.2)) == "unknown"
    assert status(Property(0.9, low=0.8, high=1.0)) == "pass"
    assert status(Property(1.3, low=1.2, high=1.4)) == "fail"


@pytest.mark.parametrize("mean", [0.6, 0.95, 1.05, 1.2, 1.6])
def test_probability_against_scipy(mean):
    verdict = judge({"I_Ra": 0.1, "I_gamma": Property(mean, sigma=0.1)}, MAIN).verdicts[1]
    p = norm.cdf(1.05, mean, 0.1)
    assert verdict.probability == pytest.approx(p, abs=1e-12)
    assert verdict.status == ("pass" if p >= 0.95 else "fail" if p <= 0.05 else "unknown")


def test_probability_of_a_range_against_monte_carlo():
    verdict = next(
        v for v in judge({"blaine": Property(390.0, "m2/kg", sigma=20.0)}, "GB 175-2023/P_I").verdicts
        if v.limit.property == "blaine"
    )  # fmt: skip
    drawn = 390.0 + 20.0 * np.random.default_rng(3).standard_normal(200_000)
    assert verdict.probability == pytest.approx(((drawn >= 300) & (drawn <= 400)).mean(), abs=0.005)


def test_missing_says_what_to_measure():
    verdict = judge({"I_Ra": 0.5}, MAIN).verdicts[1]
    assert verdict.status == "unknown"
    assert "measure I_gamma" in verdict.reason
    assert "gamma spectrometry" in verdict.reason
    assert "需检测" in verdict.reason_zh


def test_not_detected():
    limit = "GB 5085.3-2007/hazardous_threshold"
    below = Property.read("leachate_Cu", "<0.01 mg/L", "mg/L")
    assert status(Property(below.value, "mg/L", "HJ/T 299", below=0.01), limit, "leachate_Cu") == "pass"
    assert status(Property(0.1, "mg/L", "HJ/T 299", below=200.0), limit, "leachate_Cu") == "unknown"


def test_leachate_is_bound_to_its_method():
    grade = "GB 5085.3-2007/hazardous_threshold"
    assert status(Property(1.0, "mg/L", "HJ/T 299-2007"), grade, "leachate_Cu") == "pass"
    assert status(Property(1.0, "mg/L", "HJ 557-2010"), grade, "leachate_Cu") == "unknown"
    assert status(Property(1.0, "mg/L"), grade, "leachate_Cu") == "unknown"
    assert status(Property(101.0, "mg/L", "HJ/T 299"), grade, "leachate_Cu") == "fail"


def test_units_are_converted_or_refused():
    grade = "GB 5085.3-2007/hazardous_threshold"
    assert status(Property(150_000.0, "ug/L", "HJ/T 299"), grade, "leachate_Cu") == "fail"
    with pytest.raises(UnitError, match="leachate_Cu"):
        judge({"leachate_Cu": Property(1.0, "mg/kg", "HJ/T 299")}, grade)
    with pytest.raises(UnitError, match="I_Ra"):
        judge({"I_Ra": "much"}, MAIN)


def test_forbidden_material_comes_before_numbers():
    result = judge({}, "GB 175-2023/P_O", materials=["smelting_slag/steel-bof", "raw/portland-clinker"])
    assert result.verdicts[0].status == "fail"
    assert "smelting_slag/steel-bof" in result.verdicts[0].reason
    assert result.status == Status.FAIL
    assert judge({}, "GB 175-2023/P_O", materials=["raw/portland-clinker"]).verdicts[0].status == "pass"
    assert judge({}, "GB 175-2023/P_O").verdicts[0].status == "unknown"


def test_cfb_ash_is_outside_the_scope_of_gb_t_1596():
    assert judge({}, "GB/T 1596-2017/cement_admixture", materials=["fly_ash/cfb"]).status == "fail"


def test_withdrawn_product():
    withdrawn = judge({}, "GB 175-2023/P_C", product="P.C 32.5R").verdicts
    assert any(v.limit.op == "withdrawn" and v.status == "fail" for v in withdrawn)


def test_radionuclide_rule_is_judged_by_gb_6566():
    verdicts = judge({"I_Ra": 0.5, "I_gamma": 1.3}, "GB 175-2023/P_O").verdicts
    assert next(v for v in verdicts if v.limit.property == "radionuclides").status == "fail"


def test_superseded_standard_warns():
    result = judge({}, "GB/T 11968-2006/B05")
    assert any("superseded" in w for w in result.warnings)


def test_conditional_limit_asks_for_the_variant():
    grade = "GB/T 1596-2017/cement_admixture"
    limits = [x for x in load_grade(grade).limits if x.property == "free_CaO"]
    assert {x.when for x in limits} == {"class F", "class C"}
    verdicts = judge({"free_CaO": 2.0}, grade, variant="class F").verdicts
    by_class = {v.limit.when: v.status for v in verdicts if v.limit.property == "free_CaO"}
    assert by_class["class F"] == "fail"
    assert by_class["class C"] == "unknown"


def test_waste_is_judged_before_the_blend():
    result = judge_waste_leaching([material("red_mud/bayer-diasporic"), material("raw/limestone")])
    assert list(result) == ["red_mud/bayer-diasporic"]
    assert result["red_mud/bayer-diasporic"].status == "unknown"


def test_material_is_judged_directly():
    result = judge(material("fgd_gypsum/wet"), "GB/T 21371-2019/all")
    assert result.status == "unknown"


def test_evidence_is_that_of_the_weakest_deciding_row():
    assert judge({"I_Ra": 0.1, "I_gamma": 0.1}, MAIN).evidence == Evidence.SECONDARY
    guess = Quantity(0.1, "", Source("from memory", Evidence.MEMORY))
    assert judge({"I_Ra": guess, "I_gamma": 0.1}, MAIN).evidence == Evidence.MEMORY


def test_json_and_tables():
    result = judge({"I_Ra": 0.8, "I_gamma": 1.2}, MAIN)
    data = json.loads(result.to_json())
    assert data["status"] == "fail"
    assert data["verdicts"][1]["evidence"] == "secondary"
    assert len(result.to_frame()) == 2
    assert "external exposure index" in str(result)
    chinese = result.table("zh")
    assert "外照射指数" in chinese and "不合格" in chinese


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("GB 6566-2010/main", "main_structure"),
        ("GB 6566-2010", "several grades"),
        ("GB 6567-2010/main_structure", "Did you mean 'GB 6566-2010'"),
        ("nonsense", "standard/grade"),
    ],
)
def test_unknown_names(name, match):
    with pytest.raises(UnknownNameError, match=match):
        judge({}, name)


def test_spelling_is_forgiven():
    assert load_standard("gb6566-2010").id == "GB 6566-2010"
    assert load_grade("GB/T 1596-2017/cement_admixture").standard == "GB/T 1596-2017"


GOOD = {
    "schema": 1, "id": "X 1-2020", "title": "Test", "edition": "2020", "status": "in_force", "licence": "facts",
    "grades": {"a": {"limits": [
        {"property": "SO3", "label": "SO3", "op": "<=", "value": 3.5, "unit": "%", "source": "s", "evidence": "memory"},
    ]}},
}  # fmt: skip


@pytest.mark.parametrize(
    ("key", "value", "match"),
    [
        ("op", "=<", "op '=<'"),
        ("op", "=", "under facts"),
        ("value", "3.5 %", "not a number"),
        ("evidence", "sure", "evidence 'sure'"),
        ("source", "", "'source' is missing"),
        ("op", "range", "value <= value2"),
        ("decimals", 1.5, "decimals"),
        ("colour", "red", "unknown key 'colour'"),
    ],
)
def test_broken_limit_names_its_place(key, value, match, tmp_path):
    data = json.loads(json.dumps(GOOD))
    data["grades"]["a"]["limits"][0][key] = value
    with pytest.raises(DatasetError, match=match) as caught:
        standard_from_data(data, tmp_path / "x.toml")
    assert "grades.a, limit 1" in str(caught.value)

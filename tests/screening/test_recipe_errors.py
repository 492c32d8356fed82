"""Broken recipes: each gives one clear error that names file, line and key, exit code 2, and writes nothing."""

from __future__ import annotations

import pytest

from wastelab.cli import main
from wastelab.errors import RecipeError
from wastelab.screening import prepare
from wastelab.screening.recipe import parse_recipe

GOOD = """\
schema = 1
name = "Test recipe"
route = "sulfoaluminate_clinker"

[materials]
red_mud = { use = "red_mud/bayer-diasporic", min = "5 %", max = "40 %" }
gangue = { use = "coal_gangue/kaolinitic", max = "30 %" }
gypsum = { use = "fgd_gypsum/wet", max = "25 %" }
limestone = { use = "raw/limestone" }
step = "5 %"

[require]
Cm = "0.9 .. 1.1"

[objectives]
waste_fraction = "max"
co2 = "min"
"""

#: name: (old text, new text, line the error must point at, words the message must hold)
BROKEN = {
    "unknown material": ('"coal_gangue/kaolinitic"', '"coal_gangue/kaolintic"', 7, ["kaolintic", "Did you mean"]),
    "bounds cannot reach 100 %": (
        'limestone = { use = "raw/limestone" }', 'limestone = { use = "raw/limestone", max = "4 %" }',
        5, ["sum to", "less than 100 %"],
    ),
    "lower bounds above 100 %": (
        'limestone = { use = "raw/limestone" }', 'limestone = { use = "raw/limestone", min = "97 %", max = "100 %" }',
        5, ["more than 100 %"],
    ),
    "misspelt key": ('max = "30 %"', 'maxx = "30 %"', 7, ["unknown key", "Did you mean 'max'"]),
    "misspelt table": ("[objectives]", "[objective]", None, ["objective", "Did you mean 'objectives'"]),
    "unit missing": ('max = "25 %"', 'max = "25"', 8, ["no unit"]),
    "unit missing, number": ('max = "25 %"', "max = 25", 8, ["25"]),
    "kelvin typed as celsius": (
        "[require]", '[process.calcine]\ntemperature = "1523 degC"\n\n[require]', 13, ["temperature"],
    ),
    "temperature grid that changes nothing": (
        "[require]",
        '[process.calcine]\ntemperature = { min = "1150 degC", max = "1350 degC", step = "10 K" }\n\n[require]',
        13, ["temperature"],
    ),
    "negative share": ('min = "5 %"', 'min = "-5 %"', 6, ["negative"]),
    "empty objectives": ('waste_fraction = "max"\nco2 = "min"\n', "", 15, ["no objective"]),
    "objective neither min nor max": ('co2 = "min"', 'co2 = "low"', 17, ["'min' or 'max'"]),
    "lattice of 10^15": ('step = "5 %"', 'step = "0.0005 %"', 10, ["candidates", "coarser step"]),
    "not computable": ('Cm = "0.9 .. 1.1"', 'compressive_strength_28d = ">= 42.5 MPa"', 13, ["model"]),
    "misspelt criterion": ('Cm = "0.9 .. 1.1"', 'Cmm = "0.9 .. 1.1"', 13, ["cannot compute", "Did you mean"]),
    "window without unit": ('Cm = "0.9 .. 1.1"', 'C4A3S = ">= 20"', 13, ["no unit"]),
    "window upside down": ('Cm = "0.9 .. 1.1"', 'Cm = "1.1 .. 0.9"', 13, ["above the upper"]),
    "unknown standard": ("[objectives]", 'standards = ["GB 6566-2011/main"]\n[objectives]', 15, ["6566"]),
    "unknown route": ('"sulfoaluminate_clinker"', '"sulfoaluminat_clinker"', 3, ["Did you mean"]),
    "step does not divide": ('step = "5 %"', 'step = "7 %"', 10, ["does not divide"]),
    "not TOML": ("[require]", "[require", None, ["TOML"]),
    "no materials": ("[materials]", "[stuff]", None, ["materials"]),
    "missing key": ('name = "Test recipe"\n', "", None, ["name", "missing"]),
}  # fmt: skip


def test_the_good_one_is_good(tmp_path):
    file = tmp_path / "good.toml"
    file.write_text(GOOD, encoding="utf-8")
    assert prepare(file).space.candidates > 100


@pytest.mark.parametrize("case", BROKEN)
def test_broken_recipe(case, tmp_path, capsys):
    old, new, line, words = BROKEN[case]
    assert old in GOOD
    file = tmp_path / "broken.toml"
    file.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(RecipeError) as caught:
        prepare(file)
    message = str(caught.value)
    assert "broken.toml" in message
    for word in words:
        assert word in message
    if line is not None:
        assert f"line {line}," in message

    out = tmp_path / "out"
    with pytest.raises(SystemExit) as stopped:
        main(["screen", str(file), "--out", str(out)])
    assert stopped.value.code == 2
    assert not out.exists()
    assert "Traceback" not in capsys.readouterr().err


def test_not_utf8(tmp_path):
    file = tmp_path / "gbk.toml"
    file.write_bytes(GOOD.replace("Test recipe", "赤泥熟料").encode("gb18030"))
    with pytest.raises(RecipeError, match=r"gbk\.toml, line 2: byte .* not UTF-8"):
        prepare(file)
    with pytest.raises(SystemExit) as stopped:
        main(["screen", str(file)])
    assert stopped.value.code == 2


def test_no_such_file():
    with pytest.raises(RecipeError, match="red_mud_bye_clinker"):
        prepare("red_mud_bye_clinkr")


def test_missing_input_says_what_to_measure(tmp_path):
    file = tmp_path / "missing.toml"
    text = GOOD.replace("raw/limestone", "own.toml").replace('Cm = "0.9 .. 1.1"', 'SO3 = "<= 20 wt%"')
    file.write_text(text, encoding="utf-8")
    (tmp_path / "own.toml").write_text(
        """schema = 1
id = "raw/own"
name = "Own limestone"
waste_class = "raw"
kind = "sample"
basis = "dry"
licence = "own"
[sources.lab]
text = "own analysis"
evidence = "primary"
[oxides]
source = "lab"
CaO = 52.0
SiO2 = 3.0
Al2O3 = 1.0
Fe2O3 = 0.5
[loss]
source = "lab"
LOI = 42.0
""",
        encoding="utf-8",
    )
    with pytest.raises(RecipeError, match=r"limestone: SO3.*Measure it"):
        prepare(file)


def test_a_denominator_that_vanishes_at_one_process_point_only():
    """Anhydrite holds no silica: at modulus 0 nothing else does, at 1.2 the water glass brings some."""
    program = prepare(
        parse_recipe(
            'schema = 1\nname = "t"\nroute = "geopolymer"\n[materials]\nmud = "red_mud/bayer-diasporic"\n'
            'anhydrite = "raw/anhydrite"\nstep = "10 %"\n[process.activate]\nNa2O_dose = "3 %"\nmodulus = [0, 1.2]\n'
            'water_binder = "0.35 kg/kg"\n[require]\nNa_Si = ">= 0.1"\n[objectives]\nwaste_fraction = "max"\n'
        )
    )
    assert [p.g.shape for p in program.points] == [program.points[0].g.shape] * 2
    assert any(r.kind == "denominator" for r in program.requirements)

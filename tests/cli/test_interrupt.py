"""A real Ctrl-C on a long run leaves a valid study that is marked as partial."""

import os
import signal
import subprocess
import sys
import time

import pytest

from wastelab.screening import Study

RECIPE = """schema = 1
name = "nothing is required"
route = "ceramsite"
[materials]
red_mud = "red_mud/bayer-diasporic"
gangue = "coal_gangue/kaolinitic"
bauxite = "raw/bauxite"
limestone = "raw/limestone"
ash = "fly_ash/high-alumina"
step = "0.2 %"
[objectives]
waste_fraction = "max"
co2 = "min"
cost = "min"
I_gamma = "min"
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="sends SIGINT")
def test_interrupt(tmp_path):
    (tmp_path / "long.toml").write_text(RECIPE, encoding="utf-8")
    command = [sys.executable, "-m", "wastelab", "screen", "long.toml", "--out", "out", "--lang", "en"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(20)
    process.send_signal(signal.SIGINT)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 1, err
    assert "PARTIAL RESULT" in out
    study = Study.load(tmp_path / "out" / "study.nc")
    counts = study.counts
    assert not study.complete
    assert counts["feasible"] + counts["discarded"] == counts["searched"] < counts["candidates"]

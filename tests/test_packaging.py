"""The package as a whole: light import, one version, data in the wheel."""

import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import wastelab

ROOT = Path(__file__).parents[1]


def test_one_version():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert wastelab.__version__ == project["version"] == version("wastelab")
    assert f"version: {wastelab.__version__}" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"[{wastelab.__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


HEAVY = {"pandas", "xarray", "matplotlib", "sklearn", "numba", "pint", "scipy", "pydantic", "jinja2", "h5py"}


@pytest.mark.parametrize("statement", ["import wastelab", "import wastelab.cli"])
def test_import_is_light(statement):
    code = f"{statement}; import sys; print(' '.join(m for m in sys.modules if '.' not in m))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not HEAVY & set(out.stdout.split())


def test_every_public_name_exists():
    for name in wastelab.__all__:
        assert getattr(wastelab, name) is not None
    with pytest.raises(AttributeError):
        wastelab.nothing  # noqa: B018


def test_languages_have_the_same_keys():
    folder = ROOT / "src" / "wastelab" / "locale"
    tables = {p.stem: tomllib.loads(p.read_text(encoding="utf-8")) for p in folder.glob("*.toml")}
    assert {"en", "zh"} <= set(tables)
    for table in tables.values():
        assert {a: set(t) for a, t in table.items()} == {a: set(t) for a, t in tables["en"].items()}


@pytest.mark.slow
def test_wheel_holds_every_data_file(tmp_path):
    subprocess.run([sys.executable, "-m", "build", "--wheel", "--outdir", str(tmp_path), str(ROOT)], check=True)
    names = set(zipfile.ZipFile(next(tmp_path.glob("*.whl"))).namelist())
    for folder in ("datasets", "recipes"):
        for file in (ROOT / folder).rglob("*"):
            if file.is_file():
                assert f"wastelab/_data/{file.relative_to(ROOT).as_posix()}" in names
    assert "wastelab/screening/templates/report.html.j2" in names
    assert "wastelab/locale/zh.toml" in names

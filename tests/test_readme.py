"""What the README says is run: its Python lines, its commands for technicians, and its recipe of the docs."""

import re
from pathlib import Path

import pytest

from wastelab.cli import main
from wastelab.screening import prepare

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, flags=re.S)


def test_python_of_the_readme(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for code in blocks(README, "python"):
        exec(compile(code, "README.md", "exec"), {})
    assert (tmp_path / "out" / "notebook" / "report.html").is_file()
    assert "Composition(dry" in capsys.readouterr().out


def commands():
    for block in blocks(README, "sh"):
        for line in block.splitlines():
            line = line.split("#")[0].strip()
            if line.startswith(".venv/bin/wastelab") and ">" not in line and "mine.toml" not in line:
                yield line.removeprefix(".venv/bin/wastelab ")


@pytest.fixture(scope="module")
def readme_folder(tmp_path_factory):
    from click.testing import CliRunner

    from wastelab.cli import cli

    folder = tmp_path_factory.mktemp("readme")
    done = CliRunner().invoke(cli, ["init", str(folder / "mylab")])  # the tests of the lines may be spread over workers
    assert done.exit_code == 0
    return folder


@pytest.mark.parametrize("line", list(commands()))
def test_commands_of_the_readme(line, capsys, readme_folder, monkeypatch):
    import shlex

    monkeypatch.chdir(readme_folder)  # one after the other, as a reader would

    with pytest.raises(SystemExit) as stopped:
        main(shlex.split(line))
    assert stopped.value.code in (0, 1)
    assert capsys.readouterr().out


def test_exactly_two_setup_commands():
    assert README.count("<!-- run -->") == README.count("<!-- test -->") == 1


def test_recipe_of_the_docs(tmp_path):
    text, *_ = blocks((ROOT / "docs" / "recipes.md").read_text(encoding="utf-8"), "toml")
    file = tmp_path / "docs.toml"
    file.write_text(text, encoding="utf-8")
    assert prepare(file).space.candidates > 0


def test_routes_of_the_docs_are_all_routes():
    from wastelab.routes import get_route, list_routes

    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    for name in list_routes():
        assert f"`{name}`" in text
        for variable in get_route(name).variables:
            assert variable.name in text

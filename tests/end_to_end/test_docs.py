"""What README and docs show runs, and every command they should name is there."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

from brimful.cli.main import cli
from tests.trees import Tree

ROOT = Path(__file__).parents[2]
PAGES = sorted(path for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md")))


def python_of(page: Path) -> str:
    """The Python in a page, in one piece."""
    return "\n".join(re.findall(r"^```python\n(.*?)^```", page.read_text(), flags=re.DOTALL | re.MULTILINE))


@pytest.mark.parametrize("page", [page for page in PAGES if python_of(page)], ids=lambda page: page.name)
def test_code_in_the_docs_runs(
    page: Path, make_tree: Callable[..., Tree], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From top to bottom, in a folder with `data/`."""
    make_tree(100, (6, 6))
    monkeypatch.chdir(tmp_path)
    exec(compile(python_of(page), str(page), "exec"), {})  # noqa: S102 (our own pages)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Every relative link is a file."""
    for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def options_of(command: click.Command) -> Any:
    """Every option of a command, with its help."""
    return [option for option in command.params if isinstance(option, click.Option)]


def test_every_command_is_in_the_readme() -> None:
    """An undocumented command is no command."""
    readme = (ROOT / "README.md").read_text()
    assert all(f"brimful {name}" in readme for name in cli.commands)


def test_commands_have_help() -> None:
    """Every command says what it does, and offers JSON and quiet."""
    for command in cli.commands.values():
        assert command.help
        assert {"as_json", "quiet"} <= {option.name for option in options_of(command)}

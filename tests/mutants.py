"""Mutants: one small fault at a time in the modules that everything rests on; a test must notice each.

    python -m tests.mutants [WORD ...]      # all modules, or those with one of the words in their path

Cosmic Ray makes the mutants. Each is imported in a child of this process in place of the module, and the
tests listed for the module run on it until one fails; no file is changed. Tests that start a process of their
own see the module as it is. A change of annotations only is no mutant.
"""

import argparse
import ast
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import unified_diff
from importlib.machinery import ModuleSpec, SourceFileLoader
from importlib.metadata import version
from importlib.util import spec_from_file_location
from pathlib import Path
from types import CodeType

import cosmic_ray.plugins
import hypothesis.extra.numpy
import numpy as np
import pyarrow as pa
import pytest
from cosmic_ray.mutating import mutate_code
from hypothesis import Phase, settings

ROOT = Path(__file__).parents[1]
WINDOWS, FEED = "tests/property/test_windows.py", "tests/unit/test_feed.py"
STORAGE = "tests/unit/test_storage.py"
CODECS = ["tests/unit/test_codecs.py", "tests/property/test_store.py"]
TESTS = {
    "order/epochs": ["tests/unit/test_order.py", WINDOWS],
    "order/split": ["tests/unit/test_split.py"],
    "order/view": ["tests/unit/test_view.py", WINDOWS],
    "feed/budget": ["tests/unit/test_budget.py", FEED, WINDOWS],
    "store/codecs/base": CODECS,
    "store/codecs/narrow": CODECS,
    "store/codecs/raw": CODECS,
    "store/codecs/registry": CODECS,
    "storage/base": [STORAGE],
    "storage/local": [STORAGE, "tests/faults/test_mending.py"],
    "storage/locate": [STORAGE],
    "memory": [FEED, "tests/unit/test_memory.py::test_the_limit_of_a_control_group_counts"],
    "options": ["tests/unit/test_options.py", FEED],
}
"""The modules, and the quick tests that are about them, the quickest first."""

OPERATORS = [
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Add_Sub", "Sub_Add", "Mul_FloorDiv", "FloorDiv_Mul")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("Div_Mul", "Mod_FloorDiv", "Pow_Mul", "LShift_RShift")),
    *(f"ReplaceBinaryOperator_{pair}" for pair in ("RShift_LShift", "BitAnd_BitOr", "BitOr_BitAnd")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Lt_LtE", "Lt_GtE", "LtE_Lt", "LtE_Gt", "Gt_GtE")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Gt_LtE", "GtE_Gt", "GtE_Lt", "Eq_NotEq", "NotEq_Eq")),
    *(f"ReplaceComparisonOperator_{pair}" for pair in ("Is_IsNot", "IsNot_Is")),
    *(f"ReplaceUnaryOperator_{pair}" for pair in ("USub_UAdd", "Delete_Not", "Delete_Invert")),
    *("AddNot", "ReplaceTrueWithFalse", "ReplaceFalseWithTrue", "ReplaceAndWithOr", "ReplaceOrWithAnd"),
    *("ReplaceBreakWithContinue", "ReplaceContinueWithBreak", "ExceptionReplacer", "NumberReplacer"),
    *("RemoveDecorator", "ZeroIterationForLoop"),
]
MEMORY = 16 * 2**30  # bytes of addresses that a mutant may ask for
KILLED, SURVIVED, TIMEOUT = "killed", "survived", "timeouts"
PRELOADED = (hypothesis.extra.numpy, np, pa)  # children find these imported


@dataclass(frozen=True)
class Mutated(SourceFileLoader):
    """Imports a module with other code than its file has."""

    name: str
    path: str
    code: str

    def find_spec(self, name: str, *_: object) -> ModuleSpec | None:
        """Where the module comes from: from here."""
        return spec_from_file_location(name, self.path, loader=self) if name == self.name else None

    def get_code(self, fullname: str) -> CodeType:
        """The other code."""
        code: CodeType = compile(self.code, self.path, "exec", dont_inherit=True)
        return code


def mutants(code: str) -> Iterator[str]:
    """The code with one thing changed, in every way there is."""
    seen = {meaning(code), None}
    for name in OPERATORS:
        operator = cosmic_ray.plugins.get_operator(f"core/{name}")()
        at = 0
        while mutant := mutate_code(code, operator, at):
            at += 1
            if (what := meaning(mutant)) not in seen:
                seen.add(what)
                yield mutant


def meaning(code: str) -> str | None:
    """The code without its annotations, to compare; None if it is no Python, as if a `*` was no product."""
    try:
        tree = ast.parse(code)
    except SyntaxError:
        return None
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef):
            node.returns = None
        if isinstance(node, ast.arg | ast.AnnAssign):
            node.annotation = ast.Constant(None)
    return ast.dump(tree)


def change(code: str, mutant: str) -> str:
    """What is different: the number of the line, and the line before and after."""
    lines = list(unified_diff(code.splitlines(), mutant.splitlines(), n=0, lineterm=""))
    return "".join(f"\n    {line}" for line in lines[2:])


def run(loader: Mutated, tests: list[str], folder: Path, seconds: float) -> str:
    """Run tests on a mutant in a child process; says what became of it."""
    child = os.fork()
    if not child:
        os.setsid()
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        sys.meta_path.insert(0, loader)
        options = [
            "-x",
            "-pno:cacheprovider",
            "--hypothesis-profile=mutants",
            f"--basetemp={folder / 'pytest'}",
        ]
        os._exit(pytest.main([*options, *tests]))
    deadline = time.monotonic() + seconds
    try:
        while time.monotonic() < deadline:
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                child = 0
                return KILLED if status else SURVIVED
            time.sleep(0.01)
        return TIMEOUT
    finally:
        if child:
            os.killpg(child, signal.SIGKILL)
            os.waitpid(child, 0)


def say(text: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def main() -> int:
    """Make and try all mutants; print each that survives, and a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("words", nargs="*")
    words = parser.parse_args().words
    os.chdir(ROOT)
    sys.dont_write_bytecode = True
    settings.register_profile(
        "mutants", deadline=None, derandomize=True, database=None, phases=[Phase.explicit, Phase.generate]
    )
    counts: dict[str, Counter[str]] = {}
    with tempfile.TemporaryDirectory() as name:
        os.environ["TMPDIR"] = tempfile.tempdir = name
        for module, tests in TESTS.items():
            if words and not any(word in module for word in words):
                continue
            path = ROOT / f"src/brimful/{module}.py"
            code = path.read_text()
            loader = Mutated(f"brimful.{module.replace('/', '.')}", str(path), code)
            began = time.monotonic()
            if run(loader, tests, Path(name), 600) != SURVIVED:
                sys.exit(f"{module}: its tests fail on it as it is")
            seconds = 10 + 3 * (time.monotonic() - began)
            if (
                run(Mutated(loader.name, loader.path, "raise ImportError"), tests, Path(name), seconds)
                != KILLED
            ):
                sys.exit(f"{module}: its tests do not import it")
            counts[module] = Counter()
            for mutant in mutants(code):
                outcome = run(Mutated(loader.name, loader.path, mutant), tests, Path(name), seconds)
                counts[module][outcome] += 1
                if outcome != KILLED:
                    say(f"{outcome}: {module}.py{change(code, mutant)}")
    say(f"\nCosmic Ray {version('cosmic-ray')}\n")
    say("| module | mutants | killed | survived | timeouts |\n|---|---|---|---|---|")
    counts["all"] = sum(counts.values(), Counter())
    for module, each in counts.items():
        say(f"| {module} | {each.total()} | {each[KILLED]} | {each[SURVIVED]} | {each[TIMEOUT]} |")
    return 0


if __name__ == "__main__":
    sys.exit(main())

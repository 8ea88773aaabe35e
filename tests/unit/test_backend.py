"""Which backend keras is imported on, and what becomes of a Keras without a seat for data."""

import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import brimful as bf
from brimful.training.backend import chosen_backend
from brimful.training.batches import as_data_adapter

pytestmark = pytest.mark.keras

Installed = Callable[..., None]


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Installed:
    """A function that makes believe that keras is not imported yet, and that these backends are installed."""
    monkeypatch.delitem(sys.modules, "keras")
    monkeypatch.delenv("KERAS_BACKEND", raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))

    def install(*modules: str) -> None:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: object() if name in modules else None)

    return install


def chosen() -> str | None:
    """What is chosen for the import of keras; the environment is the same after it."""
    before = dict(os.environ)
    with chosen_backend():
        backend = os.environ.get("KERAS_BACKEND")
    assert dict(os.environ) == before
    return backend


@pytest.mark.parametrize(
    ("modules", "backend"),
    [(("torch", "jax", "tensorflow"), "tensorflow"), (("torch", "jax"), "jax"), (("torch",), "torch")],
)
def test_the_quickest_that_is_installed(installed: Installed, modules: tuple[str, ...], backend: str) -> None:
    """TensorFlow before JAX before PyTorch."""
    installed(*modules)
    assert chosen() == backend


@pytest.mark.parametrize(
    ("content", "backend"),
    [
        ('{"backend": "torch"}', None),
        ('{"backend": "tensorflow"}', "jax"),  # what Keras writes by itself, whatever is installed
        ('{"backend": "openvino"}', None),  # it is for Keras to say what that is
        ('{"backend": 3}', "jax"),
        ("[]", "jax"),
        ("nonsense", "jax"),
    ],
)
def test_keras_json_decides_if_it_can(
    installed: Installed, tmp_path: Path, content: str, backend: str | None
) -> None:
    """A user's choice in keras.json is left alone; a backend that is not installed is not chosen."""
    installed("jax", "torch")
    (tmp_path / "keras.json").write_text(content)
    assert chosen() == backend


def test_the_users_variable_decides(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    """Even if it cannot be."""
    installed("jax")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    assert chosen() == "torch"


def test_none_is_installed(installed: Installed) -> None:
    """An error that names the extras."""
    installed()
    with pytest.raises(bf.DependencyError, match=r"pip install 'brimful\[tensorflow\]'"):
        chosen()
    assert "KERAS_BACKEND" not in os.environ


@pytest.fixture
def without_seat(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A Keras that has no DataAdapter where it is looked for."""
    monkeypatch.setitem(sys.modules, "keras.src.trainers.data_adapters.data_adapter", None)
    as_data_adapter.cache_clear()
    yield
    as_data_adapter.cache_clear()


@pytest.mark.usefixtures("without_seat")
def test_a_keras_without_a_seat_is_an_error_when_it_asks() -> None:
    """And not before: NumPy batches go on."""
    batches = bf.scan([([0.5], n % 2) for n in range(5)]).batches(2)
    assert len(list(batches)) == 3
    with pytest.raises(bf.DependencyError, match=r"has no DataAdapter.*\n.*pip install 'keras>=3.14"):
        isinstance(batches, dict)

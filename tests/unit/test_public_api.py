"""The names that users call stay as they are."""

import subprocess
import sys

import brimful


def test_exported_names_can_be_imported() -> None:
    """Every name in `__all__` is there, and they are sorted."""
    assert brimful.__all__ == sorted(brimful.__all__)
    assert all(getattr(brimful, name) is not None for name in brimful.__all__)


def test_errors_are_brimful_errors() -> None:
    """Every exported error has BrimfulError at its root, and every leaf is a builtin, too."""
    errors = [getattr(brimful, name) for name in brimful.__all__ if name.endswith("Error")]
    assert len(errors) > 5
    assert all(issubclass(error, brimful.BrimfulError) for error in errors)
    leaves = [error for error in errors if not error.__subclasses__()]
    assert all(any(base.__module__ == "builtins" for base in error.__bases__) for error in leaves)


def test_import_is_light() -> None:
    """`import brimful` loads neither keras, nor a backend, nor pyarrow."""
    code = "import sys, brimful; print(sorted({m.split('.')[0] for m in sys.modules}))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "'brimful'" in loaded
    assert not any(
        f"'{heavy}'" in loaded for heavy in ("keras", "tensorflow", "jax", "torch", "pyarrow", "rich")
    )


def test_error_says_the_way_out() -> None:
    """An error's text is the message, then the hint."""
    error = brimful.UnknownKeyError("No such key.", "Look again.")
    assert str(error) == "No such key.\nhint: Look again."
    assert isinstance(error, KeyError)

"""Choice: which arrays of a file are inputs, targets and weights: as the user says, or as they are called."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from brimful.errors import ArgumentError
from brimful.options import ScanOptions
from brimful.schema import NAME

INPUT_NAMES = ("x", "images", "image", "data", "inputs", "input", "features")
TARGET_NAMES = ("y", "labels", "label", "targets", "target", "classes", "class")
WEIGHT_NAMES = ("w", "sample_weight", "sample_weights")
SHOWN = 30  # arrays of a file


@dataclass(frozen=True)
class Choice:
    """The names of the arrays that are inputs, targets and weights; of no target, if there is none."""

    inputs: tuple[str, ...]
    targets: tuple[str, ...]
    weights: str | None
    others: tuple[str, ...]


def choose(name: str, arrays: Mapping[str, str], options: ScanOptions) -> Choice:
    """Choose among the arrays of a file.

    Args:
        name: The file.
        arrays: Shape and dtype of each array in words, by its path inside the file.
        options: `x`, `y` and `weight` name arrays; `labels` may say that there are none.

    Raises:
        ArgumentError: There is no such array, or it is not clear which ones to take.
    """
    asked = (*options.x, *options.y, *filter(None, [options.weight]))
    for each in asked:
        if each.strip("/") not in arrays:
            raise ArgumentError(f"{name}: there is no array {each!r}.", _listed(arrays))
    inputs = tuple(each.strip("/") for each in options.x) or _input(name, arrays, asked)
    folders = {_folder(each) for each in inputs}
    beside = [each for each in arrays if each not in inputs and _folder(each) in folders]
    targets = tuple(each.strip("/") for each in options.y)
    if not targets and options.labels is None:
        targets = _usual(name, beside, TARGET_NAMES, arrays, "y")
    weights = options.weight.strip("/") if options.weight else None
    if weights is None and targets:
        weights = next(iter(_usual(name, beside, WEIGHT_NAMES, arrays, "weight")), None)
    taken = {*inputs, *targets, weights}
    if len(taken - {None}) < len(inputs) + len(targets) + bool(weights):
        raise ArgumentError(f"{name}: one array cannot be two of x, y and weight.", _listed(arrays))
    return Choice(inputs, targets, weights, tuple(each for each in arrays if each not in taken))


def last_names(paths: Sequence[str]) -> dict[str, str]:
    """The path of each array, by a name for the model: the last part of the path if that is a name.

    Raises:
        ArgumentError: A name is none that the model's inputs can have, or occurs twice.
    """
    names = {path.rpartition("/")[2]: path for path in paths}
    if len(names) < len(paths) or not all(map(NAME.fullmatch, names)):
        raise ArgumentError(
            f"Expected arrays with distinct names like 'image_1'. Received: {', '.join(map(repr, paths))}",
            "Give the arrays in a dict: bf.scan({'x': {'image_1': file['a/1'], ...}, 'y': file['y']}).",
        )
    return names


def _input(name: str, arrays: Mapping[str, str], asked: Sequence[str]) -> tuple[str, ...]:
    """The array that is the input by its name, or because it is the only one."""
    free = [each for each in arrays if each not in asked]
    found = _usual(name, free, INPUT_NAMES, arrays, "x")
    if found or len(free) == 1:
        return found or (free[0],)
    raise ArgumentError(f"{name}: which array is the input?", _listed(arrays))


def _usual(
    name: str, paths: Sequence[str], usual: Sequence[str], arrays: Mapping[str, str], option: str
) -> tuple[str, ...]:
    """The only array with a usual name; none if there is none.

    Raises:
        ArgumentError: There are several.
    """
    found = tuple(path for path in paths if path.rpartition("/")[2].casefold() in usual)
    if len(found) > 1:
        listed = ", ".join(map(repr, found))
        raise ArgumentError(f"{name}: several arrays may be {option!r}: {listed}.", _listed(arrays))
    return found


def _folder(path: str) -> str:
    return path.rpartition("/")[0]


def _listed(arrays: Mapping[str, str]) -> str:
    """What there is, and how to name it."""
    some = [f"{path} {described}" for path, described in list(arrays.items())[:SHOWN]]
    more = f", and {len(arrays) - SHOWN:,} more" if len(arrays) > SHOWN else ""
    return (
        f"There are: {', '.join(some)}{more}. Name the inputs and the targets: x='images', y='labels'; "
        "--x images --y labels."
    )

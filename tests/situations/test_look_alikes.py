"""Look-alikes: what seems to give samples by index, and does not, gets a message of its own."""

import sys
from typing import Any

import numpy as np
import pytest

import brimful as bf
from tests.situations.models import samples


def refused(thing: Any, *words: str) -> None:
    """Scanning it is an error with these words."""
    with pytest.raises(bf.ArgumentError) as caught:
        bf.scan(thing)
    for word in words:
        assert word in str(caught.value) + caught.value.hint


def test_a_keras_dataset_is_refused() -> None:
    """Its items are batches."""
    keras = pytest.importorskip("keras")

    class Mine(keras.utils.PyDataset):  # type: ignore[misc,name-defined]
        def __len__(self) -> int:
            return 5

        def __getitem__(self, at: int) -> Any:
            return np.zeros((20, 4)), np.zeros(20, int)

    refused(Mine(), "Mine", "a batch for each index")


def test_data_of_torch_are_refused() -> None:
    """A loader of batches, and what can only be iterated; a data set by index is fine."""
    torch = pytest.importorskip("torch")
    data = torch.utils.data.TensorDataset(torch.zeros(8, 4), torch.arange(8))
    refused(torch.utils.data.DataLoader(data, batch_size=2), "DataLoader", "loader.dataset")

    class Stream(torch.utils.data.IterableDataset):  # type: ignore[misc,name-defined]
        def __iter__(self) -> Any:
            return iter(())

    refused(Stream(), "Stream", "only be iterated")
    assert len(bf.scan(data)) == 8


def test_data_of_tensorflow_are_refused() -> None:
    """They can only be iterated."""
    tf = pytest.importorskip("tensorflow")
    refused(tf.data.Dataset.from_tensor_slices([1.0]), "only be iterated", "as_numpy_iterator")


def test_tables_are_refused() -> None:
    """Columns are no samples."""
    import pyarrow as pa

    pandas = pytest.importorskip("pandas")
    refused(pandas.DataFrame({"a": [1.0], "b": [2]}), "DataFrame", "to_numpy")
    refused(pa.table({"a": [1.0]}), "Table", "columns")


def test_batches_are_refused() -> None:
    """They are what scanning leads to."""
    refused(samples().batches(4), "batches already")


@pytest.mark.parametrize("weights", [[1.0, 2.0, 3.0], "auto", 3])
def test_class_weights_of_another_kind_are_refused(weights: Any) -> None:
    """With what is expected."""
    with pytest.raises(bf.ArgumentError, match="class_weight"):
        samples().batches(4, class_weight=weights)


@pytest.mark.parametrize("options", [{"one_hot": True}, {"class_weight": {0: 2.0}}])
def test_what_needs_classes_says_how_to_name_them(options: Any) -> None:
    """The labels of an object are not known beforehand."""
    with pytest.raises(bf.ArgumentError) as caught:
        samples().batches(4, **options)
    assert "classes=" in caught.value.hint


def test_a_worker_of_a_loader_is_refused() -> None:
    """Each of them would deliver everything."""
    torch = pytest.importorskip("torch")
    if sys.platform != "linux":
        pytest.skip("workers are spawned here")
    batches = samples().batches(16)

    class Stream(torch.utils.data.IterableDataset):  # type: ignore[misc,name-defined]
        def __iter__(self) -> Any:
            yield from batches

    assert len(list(torch.utils.data.DataLoader(Stream(), batch_size=None))) == 6
    with pytest.raises(bf.ArgumentError, match="Each worker"):
        list(torch.utils.data.DataLoader(Stream(), batch_size=None, num_workers=2))

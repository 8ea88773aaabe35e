"""TensorFlow holds on to the pass of a training that was interrupted; other tests count its threads."""

import gc
from collections.abc import Iterator

import pytest

from brimful.feed.feed import Feed


@pytest.fixture(autouse=True)
def _ended() -> Iterator[None]:
    yield
    for each in gc.get_objects():
        if isinstance(each, Feed):
            each._end_pass()

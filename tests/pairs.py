"""Pairs: an object whose samples have several inputs and several targets."""

from typing import Any

import numpy as np

N = 50


class Pairs:
    """Samples of an image and a vector, with a class and two numbers to predict."""

    def __init__(self, n: int = N) -> None:
        random = np.random.default_rng(0)
        self.image = random.integers(0, 256, (n, 3, 2)) / 255
        self.place = random.random((n, 4))
        self.kind = random.integers(0, 5, n)
        self.price = random.random((n, 2))

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, i: int) -> tuple[dict[str, Any], dict[str, Any]]:
        x = {"image": self.image[i], "place": self.place[i]}
        return x, {"kind": self.kind[i], "price": self.price[i]}

    def expected(self, key: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """A sample as it is delivered."""
        x, y = self[int(key)]
        inputs = {name: value.astype(np.float32) for name, value in x.items()}
        return inputs, {"kind": y["kind"], "price": y["price"].astype(np.float32)}

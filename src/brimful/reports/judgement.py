"""Judgement: how a model judges samples whose labels are known, counted in one pass in bounded memory."""

import heapq
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from brimful.schema import Classes
from brimful.training.reading import Predicted, Reading

WORST = 36
POINTS = 1_000  # of predicted against true
TINY = 1e-12


@dataclass(frozen=True, order=True)
class Misjudged:
    """A sample that was judged badly.

    Attributes:
        loss: Cross-entropy, or the squared error.
        key: Its key.
        label: What it is.
        guess: What the model says.
        x: Its input, or the first one of several.
    """

    loss: float
    key: str
    label: str = field(compare=False)
    guess: str = field(compare=False)
    x: NDArray[Any] = field(compare=False)


@dataclass
class Judgement:
    """What was counted.

    Attributes:
        samples: How many samples were judged.
        names: The classes by their numbers; empty for a regression.
        pairs: How many samples there are of each (class, class that was guessed).
        points: (true, predicted) of the first samples, which are a uniform draw; for a regression.
        worst: The samples with the greatest loss, the worst first.
    """

    samples: int = 0
    names: tuple[str, ...] = ()
    pairs: Counter[tuple[int, int]] = field(default_factory=Counter)
    points: list[tuple[float, float]] = field(default_factory=list)
    worst: list[Misjudged] = field(default_factory=list)

    @classmethod
    def of(cls, model: Any, batches: Iterable[Predicted], classes: Classes | None) -> "Judgement":
        """Judge the samples of batches; nothing is judged of a model with several outputs.

        Args:
            model: The model.
            batches: What it says of them.
            classes: The classes that it was trained on.
        """
        judgement, reading = cls(), None
        for batch in batches:
            if len(batch.outputs) != 1 or batch.y is None or isinstance(batch.y, dict):
                return cls()
            (output,) = batch.outputs.values()
            reading = reading or Reading.of(model, output, classes)
            if reading.classes is not None and batch.y.ndim == 1:
                judgement._count_classes(batch, output, reading)
            elif batch.y.size == output.size:
                judgement._count_numbers(batch, output)
            else:
                return cls()
            judgement.samples += len(batch.keys)
        judgement.worst.sort(reverse=True)
        return judgement

    @property
    def class_figures(self) -> list[tuple[str, int, float | None, float | None]]:
        """Of each class its name, samples, recall and precision; None where there is nothing to divide."""
        actual, guessed = Counter[int](), Counter[int]()
        for (label, guess), count in self.pairs.items():
            actual[label] += count
            guessed[guess] += count
        return [
            (
                name,
                actual[at],
                self.pairs[at, at] / actual[at] if actual[at] else None,
                self.pairs[at, at] / guessed[at] if guessed[at] else None,
            )
            for at, name in enumerate(self.names)
            if actual[at] or guessed[at]
        ]

    @property
    def largest_pair(self) -> int:
        """The most samples of one class with one guess."""
        return max(self.pairs.values(), default=1)

    @property
    def accuracy(self) -> float:
        """Share of the samples whose class was guessed."""
        return sum(n for (label, guess), n in self.pairs.items() if label == guess) / max(self.samples, 1)

    @property
    def confusions(self) -> list[tuple[str, str, int]]:
        """The pairs of classes that were taken for one another, the most frequent first."""
        wrong = [(pair, count) for pair, count in self.pairs.items() if pair[0] != pair[1]]
        wrong.sort(key=lambda each: (-each[1], each[0]))
        return [(self.names[label], self.names[guess], count) for (label, guess), count in wrong]

    def _count_classes(self, batch: Predicted, output: NDArray[Any], reading: Reading) -> None:
        self.names = reading.classes or ()
        labels, guesses = batch.y.astype(np.int64), reading.codes(output)
        self.pairs.update(zip(labels.tolist(), guesses.tolist(), strict=True))
        scores = _probabilities(reading.scores(output).astype(np.float64))
        losses = -np.log(np.maximum(scores[np.arange(len(labels)), labels], TINY))
        self._keep_worst(
            batch,
            losses,
            lambda at: (self.names[labels[at]], f"{self.names[guesses[at]]}, {scores[at].max():.0%}"),
        )

    def _count_numbers(self, batch: Predicted, output: NDArray[Any]) -> None:
        true, guess = (each.reshape(len(batch.keys), -1).astype(np.float64) for each in (batch.y, output))
        room = max(POINTS - len(self.points), 0)
        self.points += list(zip(true[:room, 0].tolist(), guess[:room, 0].tolist(), strict=True))
        losses = ((true - guess) ** 2).mean(axis=1)
        self._keep_worst(batch, losses, lambda at: (f"{true[at, 0]:.4g}", f"{guess[at, 0]:.4g}"))

    def _keep_worst(self, batch: Predicted, losses: NDArray[np.float64], described: Any) -> None:
        """Keep the worst of a batch, if they are worse than those so far."""
        x = next(iter(batch.x.values())) if isinstance(batch.x, dict) else batch.x
        for at in np.argsort(-losses, kind="stable")[:WORST].tolist():
            label, guess = described(at)
            entry = Misjudged(float(losses[at]), batch.keys[at], label, guess, x[at].copy())
            if len(self.worst) < WORST:
                heapq.heappush(self.worst, entry)
            elif entry > self.worst[0]:
                heapq.heapreplace(self.worst, entry)
            else:
                return


def _probabilities(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scores as they are if they are probabilities; logits as the softmax of them."""
    if (scores >= 0).all() and np.allclose(scores.sum(axis=1), 1, atol=1e-2):
        return scores
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))

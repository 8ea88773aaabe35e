"""Campaign: everything that can happen to a store, thousands of times: `make faults`.

Kills, power losses, failing calls, flipped bits, cut files. After each of them the store must be the old one
or the new one, whole; what is damaged must be an error; and packing again must give the bytes that an
undisturbed run gives. The tests run the same with larger steps.
"""

import errno
import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import click
import numpy as np

from brimful.errors import BrimfulError, DamagedStoreError, StoreNotFoundError, WriteError
from brimful.sources.read_files import SETTLED
from brimful.storage import local as local_storage
from brimful.storage.local import LocalStorage
from brimful.storage.locate import Place
from brimful.store import sort as piles
from brimful.store.verify import verify
from brimful.testing.faulty import FaultyStorage
from tests.faults.disk import Disk, after_power_loss
from tests.faults.stores import delivered, expected, files_of, pack_small, put_files, small_tree
from tests.trees import Tree

HANGS_AFTER = 60  # seconds
PILES: dict[str, object] = {"in_disk_order": True, "memory": 100_000}
PILES_SHARE = 230  # of that memory, so that there are several


class BrokenPromiseError(AssertionError):
    """A promise was broken."""


@dataclass
class Outcome:
    """What came of one kind of fault.

    Attributes:
        what: The kind.
        trials: How often it was done.
        detected: How often an error said so, or verify did.
        notes: What else there is to say.
    """

    what: str
    trials: int = 0
    detected: int = 0
    notes: str = ""


@dataclass(frozen=True)
class Scene:
    """A tree that is to be packed, and what there is before.

    Attributes:
        name: What a person calls it.
        tree: The tree.
        before: Files of the store before; none if there is no store.
        samples_before: What that store delivers; None if there is none, or it is damaged.
        after: Files of the store that undisturbed packing makes.
        options: How it is packed.
        was_damaged: Whether what there is before is damaged: it may be until the new store is whole.
    """

    name: str
    tree: Tree
    before: dict[str, bytes]
    samples_before: dict[str, tuple[bytes, int]] | None
    after: dict[str, bytes]
    options: dict[str, object] = field(default_factory=dict)
    was_damaged: bool = False

    def pack(self, store: Place) -> None:
        """Pack it."""
        with patch.object(piles, "SHARE", PILES_SHARE):
            pack_small(self.tree.path, store, **self.options)

    @property
    def samples_after(self) -> dict[str, tuple[bytes, int]]:
        """What the new store delivers."""
        return expected(self.tree)


@dataclass
class Campaign:
    """All faults, in a folder of its own.

    Attributes:
        folder: Where.
        seed: Seed of what is done by chance.
    """

    folder: Path
    seed: int = 0
    scenes: list[Scene] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store = self.folder / "data.brim"
        self._random = random.Random(self.seed)  # noqa: S311 (no secrets here)
        first = self._first()
        self.scenes = [first, self._update(), replace(first, name="piles", options=PILES), self._repair()]

    def kills(self, times: int) -> Outcome:
        """`kill -9` at random moments, again and again until packing is done."""
        outcome = Outcome("kill -9 at a random moment")
        while outcome.trials < times:
            for scene in self.scenes:
                self._begin(scene)
                seconds = self._timed(scene)
                self._begin(scene)
                while not self._killed_after(scene, self._random.uniform(0, seconds)):
                    outcome.trials += 1
                    self._check(scene)
                self._check_finished(scene)
        return outcome

    def kills_at_calls(self, step: int) -> Outcome:
        """`kill -9` before every call that changes the disk."""
        outcome = Outcome("kill -9 before each call that writes")
        for scene in self.scenes:
            for call in range(0, self._calls(scene), step):
                self._begin(scene)
                if not self._in_child(
                    scene, Disk(before=_at(call, lambda: os.kill(os.getpid(), signal.SIGKILL)))
                ):
                    outcome.trials += 1
                self._check(scene)
                self._finish(scene)
        return outcome

    def power_losses(self, step: int) -> Outcome:
        """Every prefix of what was done to the disk, what was not brought to it being gone."""
        outcome = Outcome("power loss after each call, unsynced data and names lost")
        for scene in self.scenes:
            self._begin(scene)
            with _disk(Disk()) as disk:
                scene.pack(self.store)
            for count in range(0, len(disk.calls) + 1, step):
                for names_are_lost in (True, False):
                    files = after_power_loss(
                        scene.before, disk.calls[:count], str(self.store), names_are_lost=names_are_lost
                    )
                    self._remove()
                    if files is not None:
                        put_files(self.store, files)
                    outcome.trials += 1
                    self._check(scene)
                    self._finish(scene)
        return outcome

    def failing_calls(self, step: int) -> Outcome:
        """ENOSPC that stays, and EIO once, at every call that changes the disk."""
        outcome = Outcome("ENOSPC and EIO at each call that writes")
        for scene in self.scenes:
            for call in range(0, self._calls(scene), step):
                for number, stays in ((errno.ENOSPC, True), (errno.EIO, False)):
                    self._begin(scene)
                    with _disk(Disk(before=_failing(call, number, stays=stays))):
                        try:
                            scene.pack(self.store)
                        except WriteError:
                            outcome.detected += 1
                    outcome.trials += 1
                    self._check(scene)
                    self._finish(scene)
        return outcome

    def failing_storage(self, step: int) -> Outcome:
        """Each call of the storage fails: once, for good, or as the power goes and removed files return."""
        outcome = Outcome("failing calls of the storage, short writes, power lost")
        for scene in self.scenes:
            for call in range(0, self._storage_calls(scene), step):
                for stays, power in ((False, False), (True, False), (True, True)):
                    self._begin(scene)
                    storage = FaultyStorage(LocalStorage(self.store), _refusing(call, stays=stays))
                    try:
                        scene.pack(storage)
                    except WriteError:
                        outcome.detected += 1
                    if power:
                        storage.lose_power(call)
                    outcome.trials += 1
                    self._check(scene)
                    self._finish(scene)
        return outcome

    def _storage_calls(self, scene: Scene) -> int:
        """How many calls that change the storage undisturbed packing makes."""
        self._begin(scene)
        storage = FaultyStorage(LocalStorage(self.store))
        scene.pack(storage)
        self._check_finished(scene)
        return storage.calls

    def flipped_bits(self, step: int, *, repair_every: int = 50) -> Outcome:
        """Every bit of every file."""
        outcome = Outcome("flipped bits")
        for name, content in self._packed().items():
            for bit in range(0, 8 * len(content), step):
                damaged = bytearray(content)
                damaged[bit // 8] ^= 1 << bit % 8
                self._damage(outcome, name, bytes(damaged), repair=outcome.trials % repair_every == 0)
        return outcome

    def truncations(self, step: int, *, repair_every: int = 20) -> Outcome:
        """Every file cut at every length, and gone."""
        outcome = Outcome("cut and missing files")
        for name, content in self._packed().items():
            for length in (None, *range(0, len(content), step)):
                cut = None if length is None else content[:length]
                self._damage(outcome, name, cut, repair=outcome.trials % repair_every == 0)
        return outcome

    def swaps(self) -> Outcome:
        """Every shard with the content of every other one, of this store and of another."""
        outcome = Outcome("swapped and foreign shards")
        files = self._packed()
        other = self.folder / "other"
        pack_small(small_tree(other / "data", seed=7).path, other / "data.brim")
        foreign = [path.read_bytes() for path in (other / "data.brim").glob("shard-*")]
        shards = [name for name in files if name.startswith("shard-")]
        for name in shards:
            for content in [files[each] for each in shards if each != name] + foreign:
                self._damage(outcome, name, content, repair=True)
        return outcome

    def full_disk(self, sizes: range) -> Outcome:
        """A real file system, of a size that does not suffice."""
        outcome = Outcome("a full file system (tmpfs)")
        scene = self.scenes[0]
        place = self.folder / "small"
        place.mkdir()
        for size in sizes:
            mount = ["mount", "-t", "tmpfs", "-o", f"size={size}k", "tmpfs", str(place)]
            if subprocess.run(mount, check=False, capture_output=True).returncode:
                outcome.notes = "not allowed to mount one here"
                break
            try:
                scene.pack(place / "data.brim")
                if delivered(place / "data.brim") != scene.samples_after:
                    raise BrokenPromiseError(f"{size} KiB: other samples")
            except WriteError:
                outcome.detected += 1
            finally:
                subprocess.run(["umount", str(place)], check=True)  # noqa: S607
            outcome.trials += 1
        return outcome

    def _first(self) -> Scene:
        """No store before."""
        tree = small_tree(self.folder / "first")
        pack_small(tree.path, self.store)
        after = files_of(self.store)
        self._remove()
        return Scene("first", tree, {}, None, after)

    def _update(self) -> Scene:
        """A store before, and samples added, removed, edited, relabelled since."""
        tree = small_tree(self.folder / "update")
        time.sleep(SETTLED + 0.1)  # or no file would be taken over from the old store
        pack_small(tree.path, self.store)
        before = {path.name: path.read_bytes() for path in self.store.iterdir()}
        samples_before = delivered(self.store)
        rng = np.random.default_rng(1)
        for key in ("train/00003", "train/00017"):
            tree.file(key).unlink()
            del tree.x[key], tree.y[key]
        for key in ("train/00005", "train/00041", "train/00042"):
            tree.x[key] = (rng.integers(0, 256, (2, 3)) / 255).astype(np.float32)
            tree.y[key] = 2
            np.savetxt(tree.file(key), tree.x[key].astype(float))
        tree.y["train/00008"] = 3 - tree.y["train/00008"]
        (tree.path / "target.csv").write_text("".join(f"{int(key[6:])},{y}\n" for key, y in tree.y.items()))
        pack_small(tree.path, self.store)
        after = files_of(self.store)
        if delivered(self.store) != expected(tree):
            raise BrokenPromiseError("an update delivers other samples")
        self._remove()
        return Scene("update", tree, before, samples_before, after)

    def _repair(self) -> Scene:
        """A store with a shard cut and a bit flipped in another one, nothing changed since."""
        tree = small_tree(self.folder / "repair")
        time.sleep(SETTLED + 0.1)  # or no shard would stay
        pack_small(tree.path, self.store)
        after = files_of(self.store)
        cut, flipped, *_ = sorted(self.store.glob("shard-*"))
        cut.write_bytes(cut.read_bytes()[:-1000])
        content = bytearray(flipped.read_bytes())
        content[len(content) // 2] ^= 1
        flipped.write_bytes(content)
        before = {path.name: path.read_bytes() for path in self.store.iterdir()}
        if not pack_small(tree.path, self.store).resumed:
            raise BrokenPromiseError("no shard stays where others are repaired")
        self._remove()
        return Scene("repair", tree, before, None, after, was_damaged=True)

    def _begin(self, scene: Scene) -> None:
        self._remove()
        if scene.before:
            put_files(self.store, scene.before)

    def _remove(self) -> None:
        shutil.rmtree(self.store, ignore_errors=True)

    def _packed(self) -> dict[str, bytes]:
        """All files of an intact store, source.arrow among them."""
        self._begin(self.scenes[0])
        pack_small(self.scenes[0].tree.path, self.store)
        return {path.name: path.read_bytes() for path in sorted(self.store.iterdir())}

    def _check(self, scene: Scene) -> None:
        """The store must be the old one or the new one."""
        try:
            samples = delivered(self.store)
        except StoreNotFoundError:
            samples = None
        except DamagedStoreError:
            if not scene.was_damaged:
                raise
            samples = None
        if samples not in (scene.samples_before, scene.samples_after):
            raise BrokenPromiseError(f"{scene.name}: neither the old nor the new store")
        if samples is not None and not verify(self.store).ok:
            raise BrokenPromiseError(f"{scene.name}: verify finds {verify(self.store)}")

    def _finish(self, scene: Scene) -> None:
        """Packing again must end with the bytes of an undisturbed run."""
        with _alarm():
            scene.pack(self.store)
        self._check_finished(scene)

    def _check_finished(self, scene: Scene) -> None:
        if files_of(self.store) != scene.after:
            raise BrokenPromiseError(
                f"{scene.name}: other bytes, or leftovers: {sorted(files_of(self.store))}"
            )
        if delivered(self.store) != scene.samples_after:
            raise BrokenPromiseError(f"{scene.name}: other samples")

    def _damage(self, outcome: Outcome, name: str, content: bytes | None, *, repair: bool) -> None:
        """Put something else in the place of a file: it must be found, and never be delivered."""
        scene = self.scenes[0]
        path = self.store / name
        intact = path.read_bytes()
        path.unlink()
        if content is not None:
            path.write_bytes(content)
        outcome.trials += 1
        with _alarm():
            try:
                if delivered(self.store) != scene.samples_after:
                    raise BrokenPromiseError(f"{name}: wrong samples were delivered")
            except BrimfulError:
                pass
            try:
                found = not verify(self.store).ok
            except StoreNotFoundError:
                found = True
        outcome.detected += found
        if not found and name != "source.arrow" and content != intact:
            raise BrokenPromiseError(f"{name}: verify has not found it")
        if repair:
            self._finish(scene)
        path.write_bytes(intact)

    def _calls(self, scene: Scene) -> int:
        """How many calls that change the disk undisturbed packing makes."""
        self._begin(scene)
        with _disk(Disk()) as disk:
            scene.pack(self.store)
        return len(disk.calls)

    def _timed(self, scene: Scene) -> float:
        """Seconds that packing takes in a child."""
        began = time.perf_counter()
        if not self._in_child(scene, None):
            raise BrokenPromiseError(f"{scene.name}: packing fails, undisturbed")
        return time.perf_counter() - began

    def _killed_after(self, scene: Scene, seconds: float) -> bool:
        """Pack in a child, and kill it after some time; whether it was done by then."""
        child = _fork(lambda: scene.pack(self.store))
        time.sleep(seconds)
        os.kill(child, signal.SIGKILL)
        return _exit_code(child) == 0

    def _in_child(self, scene: Scene, disk: Disk | None) -> bool:
        """Pack in a child, on a disk; whether it came to its end."""

        def run() -> None:
            with _disk(disk or Disk()):
                scene.pack(self.store)

        return _exit_code(_fork(run)) == 0


def _fork(run: Callable[[], object]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            run()
            code = 0
        finally:
            os._exit(code)
    return child


def _exit_code(child: int) -> int:
    with _alarm():
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@contextmanager
def _alarm() -> Iterator[None]:
    """What takes so long is a hang."""
    signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(BrokenPromiseError("it hangs")))
    signal.alarm(HANGS_AFTER)
    try:
        yield
    finally:
        signal.alarm(0)


@contextmanager
def _disk(disk: Disk) -> Iterator[Disk]:
    setattr(local_storage, "os", disk)  # noqa: B010 (it is a module to all others)
    try:
        yield disk
    finally:
        setattr(local_storage, "os", os)  # noqa: B010


def _at(call: int, do: Callable[[], object]) -> Callable[[int], None]:
    def before(number: int) -> None:
        if number == call:
            do()

    return before


def _refusing(call: int, *, stays: bool) -> Callable[[int, str], None]:
    """Calls of a storage fail from one on, or that one only."""
    failed = False

    def before(number: int, _: str) -> None:
        nonlocal failed
        if (number == call and not failed) or (stays and failed):
            failed = True
            raise WriteError("The storage refuses.")

    return before


def _failing(call: int, error: int, *, stays: bool) -> Callable[[int], None]:
    """Calls fail from one on, or that one only; what frees space does not fail for want of it."""
    failed = False

    def before(number: int) -> None:
        nonlocal failed
        if (number == call and not failed) or (stays and failed):
            failed = True
            raise OSError(error, os.strerror(error))

    return before


@click.command()
@click.option("--kills", default=300, show_default=True)
@click.option("--step", default=1, show_default=True, help="Do every n-th of all else.")
@click.option("--seed", default=0, show_default=True)
def main(kills: int, step: int, seed: int) -> None:
    """Run all of it; the first promise that is broken is raised."""
    os.environ["XDG_CACHE_HOME"] = cache = tempfile.mkdtemp()
    with tempfile.TemporaryDirectory() as folder:
        campaign = Campaign(Path(folder), seed)
        click.echo("| fault | trials | errors | wrong, lost, hung | |\n|---|---|---|---|---|")
        for run in (
            partial(campaign.kills, kills),
            partial(campaign.kills_at_calls, step),
            partial(campaign.power_losses, step),
            partial(campaign.failing_calls, step),
            partial(campaign.failing_storage, step),
            partial(campaign.full_disk, range(4, 64, 4)),
            partial(campaign.truncations, step),
            campaign.swaps,
            partial(campaign.flipped_bits, step),
        ):
            outcome: Outcome = run()
            detected = f"{outcome.detected:,}" if outcome.detected else ""
            click.echo(f"| {outcome.what} | {outcome.trials:,} | {detected} | 0 | {outcome.notes} |")
    shutil.rmtree(cache, ignore_errors=True)


if __name__ == "__main__":
    main()

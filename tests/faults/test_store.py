"""The store under faults: the old one stays or the new one is complete; never wrong data."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from xxhash import xxh3_128_hexdigest

import brimful as bf
from brimful.cli.main import main
from brimful.options import PackOptions
from brimful.order.view import View
from brimful.samples import FINGERPRINT
from brimful.storage.local import LocalStorage
from brimful.store.chunk_reader import ChunkReader
from brimful.store.pack import pack
from brimful.store.provenance import read_provenance
from brimful.store.reader import StoreReader
from brimful.store.verify import verify
from brimful.store.writer import Rows, ShardWriter
from tests.faults.campaign import Campaign
from tests.faults.stores import delivered, expected, files_of, pack_layout, pack_small, small_tree
from tests.feeds import make_feed
from tests.trees import Tree


@pytest.fixture(scope="module")
def campaign(tmp_path_factory: pytest.TempPathFactory) -> Campaign:
    """A campaign in a folder of its own; `make faults` runs all of it."""
    return Campaign(tmp_path_factory.mktemp("campaign"))


@pytest.mark.parametrize(
    "run",
    [
        lambda campaign: campaign.kills(20),
        lambda campaign: campaign.kills_at_calls(17),
        lambda campaign: campaign.power_losses(7),
        lambda campaign: campaign.failing_calls(11),
        lambda campaign: campaign.failing_storage(11),
        lambda campaign: campaign.truncations(101),
        lambda campaign: campaign.swaps(),
        lambda campaign: campaign.flipped_bits(211),
    ],
    ids=[
        "kills",
        "kills at calls",
        "power",
        "failing calls",
        "failing storage",
        "truncations",
        "swaps",
        "bits",
    ],
)
def test_whatever_happens(campaign: Campaign, run: Callable[[Campaign], object]) -> None:
    """A short form of the campaign, which raises an error if anything is wrong, lost, or hangs."""
    assert run(campaign).trials > 5  # type: ignore[attr-defined]


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    """A small tree."""
    return small_tree(tmp_path / "data")


@pytest.fixture
def store(tree: Tree, tmp_path: Path) -> Path:
    """Its store."""
    pack_small(tree.path, tmp_path / "data.brim")
    return tmp_path / "data.brim"


def test_two_packers_at_once(tree: Tree, store: Path) -> None:
    """The second is refused, and says why."""
    command = [
        sys.executable,
        "-c",
        "import sys; from tests.faults.stores import *; pack_small(*map(Path, sys.argv[1:]))",
    ]
    with LocalStorage(store).lock():
        done = subprocess.run(
            [*command, str(tree.path), str(store)], check=False, capture_output=True, text=True
        )
    assert done.returncode == 1
    assert "StoreBusyError" in done.stderr
    assert "another process is packing" in done.stderr
    assert delivered(store) == expected(tree)


def test_an_interrupted_pack_says_how_to_go_on(tree: Tree, tmp_path: Path) -> None:
    """Ctrl-C: exit 130, the command that continues, no traceback; and it does continue."""
    command = [sys.executable, "-m", "brimful", "pack", str(tree.path), str(tmp_path / "x.brim")]
    slow = """
import sys, time
from brimful.cli.main import entry
from brimful.store.writer import Rows, ShardWriter
write = ShardWriter.write
def slowly(*rows):
    print("writing", file=sys.stderr, flush=True)
    time.sleep(30)
    write(*rows)
ShardWriter.write = slowly
sys.argv = sys.argv[1:]
entry()
"""
    with subprocess.Popen(
        [sys.executable, "-c", slow, *command[2:]], stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if "writing" in line:
                break
        process.send_signal(signal.SIGINT)
        errors = process.stderr.read()
        process.wait(60)
    assert process.returncode == 130
    assert f"to go on: brimful pack {tree.path} {tmp_path / 'x.brim'}" in errors
    assert "Traceback" not in errors
    assert main(command[3:]) == 0
    assert delivered(tmp_path / "x.brim") == expected(tree)


def test_faults_are_counted_and_nothing_is_made(tree: Tree, store: Path) -> None:
    """Every bad sample is counted, the old store stays; with `skip` the others are packed."""
    before = files_of(store)
    tree.file("train/00003").write_text("1 2 x\n3 4 5\n")
    tree.file("train/00009").write_text("1 2\n3 4\n")
    with pytest.raises(
        bf.SourceError, match=r"1 x wrong shape: .*; 1 x malformed: |1 x malformed: .*; 1 x wrong"
    ) as caught:
        bf.pack(bf.scan(tree.path), store)
    assert "--on-bad skip" in caught.value.hint
    tree.file("train/00003").write_text("1 2 x\n3 4 5\n")
    with pytest.raises(bf.SourceError):
        pack_small(tree.path, store.with_name("new.brim"))
    assert not store.with_name("new.brim").exists()
    assert files_of(store) == before
    skipped = bf.pack(bf.scan(tree.path, on_bad="skip"), store.with_name("skipped.brim"))
    assert len(skipped) == 38
    assert skipped.manifest.skipped == 2


def test_damage_names_the_samples(store: Path) -> None:
    """Where data are damaged, the error and `verify` say which shard, chunk and keys; labels and all."""
    reader = bf.open(store)._reader
    shard, chunk = reader.manifest.shards[1], reader.manifest.shards[1].chunks[2]
    keys = reader.keys(np.arange(9 + 6, 9 + 9))
    path = store / shard.file
    content = bytearray(path.read_bytes())
    content[chunk.offset + chunk.head + chunk.keys + 3] ^= 8
    path.write_bytes(content)
    with pytest.raises(
        bf.DamagedStoreError, match=rf"{shard.file}: chunk 2 .*rows 15 to 17.*{keys[0]}"
    ) as caught:
        delivered(store)
    assert caught.value.keys == keys
    (damage,) = verify(store).bad
    assert (damage.file, damage.chunk, damage.rows, damage.keys) == (shard.file, 2, (15, 17), keys)


def test_many_lost_shards_are_told_with_as_many_looks(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where thousands are lost, the intact neighbours of each are not searched for again."""
    path = tmp_path / "many.brim"
    pack_layout(bf.scan(tree.path), path, chunk_bytes=24, shard_bytes=24)
    shards = sorted(path.glob("shard-*"))
    assert len(shards) == 40
    for shard in shards[1:-1]:
        shard.unlink()
    looks, ends = [0], ChunkReader.ends

    def counted(self: ChunkReader, chunk: int) -> tuple[int, int] | None:
        looks[0] += 1
        return ends(self, chunk)

    monkeypatch.setattr(ChunkReader, "ends", counted)
    found = verify(path)
    assert len(found.bad) == 38
    assert looks[0] < 12 * 40  # and not 40 * 40
    low, high = (int(digits, 16) for digits in found.bad[19].hash_range or ("", ""))
    hashes = bf.scan(tree.path)._reader.hashes
    assert (low, high) == (hashes[0], hashes[-1])


def test_verify_on_the_command_line(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Exit 0 and `ok`, or exit 1 and all that is bad."""
    assert main(["verify", str(store), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == {"ok": True, "samples": 40, "chunks": 14, "bad": []}
    shard = next(store.glob("shard-00002-*"))
    shard.unlink()
    assert main(["verify", str(store), "--json"]) == 1
    (bad,) = json.loads(capsys.readouterr().out)["bad"]
    assert (bad["shard"], bad["chunk"], bad["rows"], bad["keys"]) == (shard.name, None, [18, 26], None)
    low, high = bad["hash_range"]
    assert "0" * 16 < low < high < "f" * 16


def forge(store: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Change the manifest and its checksum, as an attacker would."""
    said = json.loads((store / "manifest.json").read_bytes())
    del said["checksum"]
    change(said)
    text = json.dumps(said, sort_keys=True, separators=(",", ":"))
    said["checksum"] = xxh3_128_hexdigest(text.encode())
    (store / "manifest.json").write_text(json.dumps(said, sort_keys=True, separators=(",", ":")))


@pytest.mark.parametrize(
    "change",
    [
        lambda said: said.update(samples=10**15),
        lambda said: said.update(samples=-1),
        lambda said: said.update(samples=0, shards=[]),
        lambda said: said.update(chunk_bytes=0),
        lambda said: said.update(shard_bytes=2**70),
        lambda said: said["inputs"]["x"].update(shape=[2**31, 2**31]),
        lambda said: said["inputs"]["x"].update(shape=[]),
        lambda said: said["inputs"]["x"].update(shape=[1] * 70 + [2, 3]),
        lambda said: said["shards"][0]["chunks"][-1].__setitem__(2, 2**38),
        lambda said: said["inputs"]["x"].update(dtype="object"),
        lambda said: said["target"].update(dtype="O8"),
        lambda said: said["target"].update(shape=[10**9]),
        lambda said: said.update(classes=[{}]),
        lambda said: said["shards"][0].update(file="../../etc/passwd"),
        lambda said: said["shards"][0].update(file="shard-00000-0000000000000000.arrow/../x"),
        lambda said: said["shards"][0].update(rule="__import__('os')"),
        lambda said: said["shards"][0].update(bytes=2**63),
        lambda said: said["shards"][0]["chunks"][0].__setitem__(3, 2**62),
        lambda said: said["shards"][0]["chunks"][0].__setitem__(0, -8),
        lambda said: said["shards"][0]["chunks"][1].__setitem__(0, 0),
        lambda said: said["shards"][0]["chunks"][0].__setitem__(2, 0),
        lambda said: said["shards"].reverse(),
        lambda said: said["shards"].append(said["shards"][0]),
        lambda said: said.update(version=2),
        lambda said: said.update(split_seed=3),
        lambda said: said.pop("shards"),
    ],
)
def test_a_forged_manifest_is_an_error(store: Path, change: Callable[[dict[str, object]], object]) -> None:
    """Absurd sizes, other names, other types: an error, in no time, and nothing else."""
    forge(store, change)
    began = time.monotonic()
    is_delivered = False
    with contextlib.suppress(bf.StoreError):
        is_delivered = bool(delivered(store))
    assert time.monotonic() - began < 2
    assert not is_delivered or not verify(store).ok  # another split_seed: the rows are out of order


@pytest.mark.parametrize("options", [{"one_hot": True}, {"class_weight": {0: 2.0}}])
def test_forged_classes_are_an_error(store: Path, options: dict[str, Any]) -> None:
    """Targets outside the manifest's classes are refused."""
    reader = StoreReader(store)
    largest = int(reader.read(np.arange(len(reader))).y.max())
    forge(store, lambda said: said.update(classes=list(range(largest))))
    reader = StoreReader(store)
    feed = make_feed(reader, View(range(len(reader))), 8, **options)
    with pytest.raises(bf.DamagedStoreError, match="but only the classes to"):
        list(feed)


def test_deep_json_is_an_error(store: Path) -> None:
    """No stack is deep enough for it, and it need not be."""
    (store / "manifest.json").write_text("[" * 1_000_000)
    with pytest.raises(bf.DamagedStoreError, match="damaged"):
        bf.open(store)


@pytest.mark.parametrize("name", ["manifest.json", "shard"])
@pytest.mark.parametrize("what", ["link", "pipe", "folder"])
def test_a_link_or_pipe_in_a_store_is_an_error(store: Path, tmp_path: Path, name: str, what: str) -> None:
    """Nothing outside the store is read, and nothing hangs."""
    path = next(store.glob(f"{name}*"))
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    if what == "link":
        path.symlink_to(elsewhere)
    elif what == "pipe":
        os.mkfifo(path)
    else:
        path.mkdir()
    with pytest.raises(bf.DamagedStoreError, match=re.escape(path.name)):
        delivered(store)


def test_what_is_no_store(tmp_path: Path, tree: Tree) -> None:
    """A plain error, when it is opened and when it would be packed over."""
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "notes.txt").write_text("mine")
    for name in ("nothing", "empty", "notes"):
        with pytest.raises(bf.StoreNotFoundError):
            bf.open(tmp_path / name)
    source = bf.scan(tree.path)
    for path, error in (
        (tmp_path / "notes", bf.OtherStoreError),
        (tmp_path / "notes" / "notes.txt", bf.OtherStoreError),
        (tree.path / "x.brim", bf.ArgumentError),
        (tmp_path / "no" / "x.brim", bf.ArgumentError),
    ):
        with pytest.raises(error):
            bf.pack(source, path)
    assert (tmp_path / "notes" / "notes.txt").read_text() == "mine"
    assert len(bf.pack(source, tmp_path / "empty")) == 40


def test_another_data_set_is_not_written_over(tree: Tree, store: Path, tmp_path: Path) -> None:
    """Unless `overwrite` is given."""
    other = bf.scan([([1.0, 2.0], 1)] * 30)
    before = files_of(store)
    with pytest.raises(bf.OtherStoreError) as caught:
        bf.pack(other, store)
    assert "--overwrite" in caught.value.hint
    renamed = tree.path.rename(tmp_path / "renamed")
    (renamed / "train").rename(renamed / "other")
    with pytest.raises(bf.OtherStoreError, match="no sample in common"):
        bf.pack(bf.scan(renamed), store)
    assert files_of(store) == before
    assert len(bf.pack(other, store, overwrite=True)) == 30
    assert not {path.name for path in store.iterdir()} & set(before) - {"manifest.json"}


def test_shards_that_are_done_are_not_made_again(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shards that an interrupted attempt has finished are kept if the files' times prove them current."""
    store = tmp_path / "data.brim"
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)  # as if the files were old
    write = ShardWriter.write
    chunks = []

    def interrupted(self: ShardWriter, rows: Rows) -> None:
        chunks.append(rows)
        if len(chunks) == 8:
            raise KeyboardInterrupt
        write(self, rows)

    monkeypatch.setattr(ShardWriter, "write", interrupted)
    with pytest.raises(KeyboardInterrupt):
        pack_small(tree.path, store)
    with pytest.raises(bf.StoreNotFoundError, match="not finished"):
        bf.open(store)
    changed = next(path for path in (tree.path / "train").iterdir() if path.stem in str(chunks[4][0]))
    tree.x[f"train/{changed.stem}"] = np.ones((2, 3), np.float32)
    np.savetxt(changed, np.ones((2, 3)))
    assert pack_small(tree.path, store).resumed == 9  # of two shards that were done, one has changed since
    assert delivered(store) == expected(tree)
    pack_small(tree.path, tmp_path / "anew.brim")
    assert files_of(store) == files_of(tmp_path / "anew.brim")


def test_a_store_that_was_packed_again_meanwhile(tree: Tree, tmp_path: Path) -> None:
    """Rows of the old store are never read from the new one: its samples, or an error."""
    store = tmp_path / "data.brim"
    data = bf.pack(bf.scan(tree.path), store)
    train, test = data.split(test=0.4)
    held_back = set(test.keys)
    for number in range(50, 80):
        np.savetxt(tree.path / "train" / f"{number:05d}.csv", np.ones((2, 3)))
        with (tree.path / "target.csv").open("a") as table:
            table.write(f"{number},1\n")
    bf.pack(bf.scan(tree.path), store)
    with pytest.raises(bf.DamagedStoreError, match="open it again"):
        list(train.batches(8, include_keys=True))
    assert (
        not {
            key
            for *_, keys in bf.open(store).split(test=0.4)[0].batches(8, include_keys=True)
            for key in keys
        }
        & held_back
    )


def test_what_only_looks_like_a_store_is_not_written_over(tree: Tree, tmp_path: Path) -> None:
    """A manifest.json, or a source.arrow, may be somebody else's."""
    for name in ("manifest.json", "source.arrow"):
        folder = tmp_path / name[:6]
        folder.mkdir()
        (folder / name).write_text('{"name": "my web app"}')
        with pytest.raises(bf.OtherStoreError, match="no store and not empty"):
            bf.pack(bf.scan(tree.path), folder, overwrite=True)
        assert (folder / name).read_text() == '{"name": "my web app"}'


def test_a_damaged_store_of_other_data_is_not_written_over(tree: Tree, store: Path, tmp_path: Path) -> None:
    """Its intact parts show that it holds other data; packing its own data again repairs any damage."""
    shard = next(store.glob("shard-00001-*"))
    shard.unlink()
    before = files_of(store)
    with pytest.raises(bf.OtherStoreError):
        bf.pack(bf.scan([([1.0, 2.0], 1)] * 30), store)
    (tmp_path / "other").mkdir()
    small_tree(tmp_path / "other" / "data")
    (tmp_path / "other" / "data" / "train").rename(tmp_path / "other" / "data" / "else")
    with pytest.raises(bf.OtherStoreError, match="no sample in common"):
        bf.pack(bf.scan(tmp_path / "other" / "data"), store)
    assert files_of(store) == before
    for path in store.glob("shard-*"):
        path.unlink()
    pack_small(tree.path, store)
    assert delivered(store) == expected(tree)


def test_a_shard_widens_until_one_rule_holds_for_all(tmp_path: Path) -> None:
    """The rule that a later chunk needs may not hold for an earlier one."""
    numbers = [0.1, 20.0, 0.01]
    order = [int(key) for key in bf.scan([(np.zeros(1), 0)] * 3).keys]
    samples = [(np.full(4, numbers[order.index(at)], np.float32), 1) for at in range(3)]
    source = bf.scan(samples)
    options = PackOptions(chunk_bytes=30, shard_bytes=90)
    pack(source._reader, np.arange(3), tmp_path / "x.brim", options)
    reader = bf.open(tmp_path / "x.brim")._reader
    assert [float(value) for value in reader.read(np.arange(3)).x[:, 0]] == [
        float(np.float32(n)) for n in numbers
    ]


def test_any_flipped_bit_of_the_fingerprints_is_survived(tree: Tree, store: Path) -> None:
    """source.arrow holds no samples: damaged, everything is read again."""
    content = (store / "source.arrow").read_bytes()
    wanted = files_of(store)
    for at in range(0, len(content), 29):
        for bit in (0x10, 0x80):
            damaged = bytearray(content)
            damaged[at] ^= bit
            (store / "source.arrow").write_bytes(damaged)
            reader = StoreReader(store)
            prints, _ = read_provenance(reader, bf.scan(tree.path)._reader)
            assert prints is None or prints.shape == (40, 4)
    (store / "source.arrow").write_bytes(b"")
    os.truncate(store / "source.arrow", 2**36)
    pack_small(tree.path, store)
    assert files_of(store) == wanted


@pytest.mark.parametrize("row", [0, 20, 39])
@pytest.mark.parametrize("column", FINGERPRINT)
def test_a_flipped_bit_in_a_fingerprint_is_noticed(
    tree: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, column: str, row: int
) -> None:
    """Arrow reads it as any other number: none is believed, and all files are read again."""
    monkeypatch.setattr("brimful.sources.read_files.SETTLED", -3600)  # as if the files were old
    store = tmp_path / "data.brim"
    pack_small(tree.path, store)
    wanted = files_of(store)
    intact, _ = read_provenance(StoreReader(store), bf.scan(tree.path)._reader)
    assert intact is not None
    content = bytearray((store / "source.arrow").read_bytes())
    whole = pa.py_buffer(content)
    values = pa.ipc.open_file(whole).read_all()[column].chunk(0).buffers()[1]
    content[values.address - whole.address + 8 * row] ^= 1
    (store / "source.arrow").write_bytes(content)
    damaged = pa.ipc.open_file(store / "source.arrow").read_all()
    prints = np.stack([damaged[name].to_numpy() for name in FINGERPRINT], axis=1)
    assert np.argwhere(prints != intact).tolist() == [[row, FINGERPRINT.index(column)]]

    source = bf.scan(tree.path)
    assert read_provenance(StoreReader(store), source._reader)[0] is None
    read = type(source._reader).read
    seen: list[str] = []

    def spy(self: Any, rows: Any, **options: Any) -> Any:
        seen.extend(self.keys(rows))
        return read(self, rows, **options)

    monkeypatch.setattr(type(source._reader), "read", spy)
    pack_layout(source, store, chunk_bytes=100, shard_bytes=300)
    assert sorted(seen) == sorted(tree.x)
    assert files_of(store) == wanted
    source = bf.scan(tree.path)  # which reads some of them
    seen.clear()
    pack_layout(source, store, chunk_bytes=100, shard_bytes=300)
    assert not seen  # the fingerprints were written anew


@pytest.mark.parametrize("name", ["n" * 300, "a\0b"])
def test_a_path_that_cannot_be(tree: Tree, tmp_path: Path, name: str) -> None:
    """An error of brimful's, as everywhere."""
    with pytest.raises((bf.WriteError, bf.ArgumentError)):
        bf.pack(bf.scan(tree.path), tmp_path / name)
    with pytest.raises(bf.StoreNotFoundError):
        bf.open(tmp_path / name)


def test_a_store_is_found_after_a_change_of_folder(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A relative path is resolved when the store is opened."""
    monkeypatch.chdir(tmp_path)
    data = bf.open(store.name)
    monkeypatch.chdir("/")
    assert len(data[0]) == 2

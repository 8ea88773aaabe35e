"""brimful pack, info, verify: makes, describes, checks a store."""

from pathlib import Path
from typing import Any

import click

from brimful.cli.console import Screen, screen_options
from brimful.cli.options import data_options, memory_option, on_bad_option, say_source, scan_data
from brimful.dataset import Dataset
from brimful.dataset import open as open_store
from brimful.options import PackOptions
from brimful.schema import to_json
from brimful.source import Source
from brimful.store.estimate import free_bytes
from brimful.store.pack import Packed
from brimful.store.verify import verify

DAMAGED = 1  # exit code
KEYS_SHOWN = 5


@click.command("pack")
@data_options
@click.argument("store", type=click.Path(path_type=Path))
@click.option(
    "--split-seed",
    type=click.IntRange(0, 2**64 - 1),
    default=0,
    show_default=True,
    help="Seed of the hash that orders the samples and decides the split.",
)
@memory_option("Memory for packing.")
@on_bad_option
@click.option("--overwrite", is_flag=True, help="Replace a store that holds other data.")
@click.option("--check-content", is_flag=True, help="Also read files that seem unchanged.")
@click.option("--decode", is_flag=True, help="Keep images as pixels, not as files, and recordings padded.")
@screen_options
def pack_command(data: str, store: Path, as_json: bool, **options: Any) -> None:
    """Pack DATA into STORE, or bring STORE up to date.

    If packing is interrupted, the old store stays, and the same command goes on.
    """
    screen = Screen(as_json, options.pop("quiet"))
    packing = {name: options.pop(name) for name in ("split_seed", "memory", "overwrite", "check_content")}
    decode = options.pop("decode")
    source = scan_data(screen, data, **options)
    say_source(screen, source)
    if decode:
        source = source.decoded()
    screen.result(_document(pack_source(screen, source, store, **packing)))


def pack_source(screen: Screen, source: Source, store: Path, **packing: Any) -> Packed:
    """Print what packing will take, pack, and print what was done."""
    if source.schema.is_encoded and (other := source.decoded().plan()) and (plan := source.plan()):
        rate = other.samples / max(other.seconds - plan.seconds, 1e-9)
        kept, decoded = plan.store_bytes / 1e6, other.store_bytes / 1e6
        screen.say(
            f"  kept as given: about {kept:,.1f} MB, decoded for each batch, about {rate:,.0f} samples/s; "
            f"decoded (--decode): about {decoded:,.1f} MB"
        )
    if estimate := source.plan():
        free = free_bytes(store)
        room = "no limit is known" if free is None else f"{free / 1e6:,.0f} MB are free"
        screen.say(
            f"  to be packed into {store}: {estimate.decoded_bytes / 1e6:,.1f} MB as delivered, about "
            f"{estimate.store_bytes / 1e6:,.1f} MB in the store ({room}), "
            f"about {estimate.seconds:,.1f} s"
        )
        if estimate.pile_bytes:
            piles = f"with {estimate.pile_bytes / 1e6:,.1f} MB of piles beside the store meanwhile"
            verb = (
                "is read" if estimate.in_disk_order(free) else "would be read, if there were room for them,"
            )
            screen.say(
                f"  in the order of the disk {verb} in about {estimate.seconds_in_disk_order:,.1f} s, {piles}"
            )
    with screen.bar("packing", len(source)) as bar:
        packed = source.pack_into(store, PackOptions.of(progress=bar, **packing))
    for line in _summary(packed):
        screen.say(f"  {line}")
    return packed


@click.command("info")
@click.argument("store", type=click.Path(path_type=Path))
@screen_options
def info_command(store: Path, as_json: bool, quiet: bool) -> None:
    """Show what STORE holds."""
    screen = Screen(as_json, quiet)
    document = _described(open_store(store))
    for name, value in document.items():
        screen.say(f"{name:16} {value if not isinstance(value, int) else format(value, ',')}")
    screen.result(document)


@click.command("verify")
@click.argument("store", type=click.Path(path_type=Path))
@screen_options
def verify_command(store: Path, as_json: bool, quiet: bool) -> None:
    """Read every byte of STORE and check it.

    Exits with 1 if anything has changed since it was packed.
    """
    screen = Screen(as_json, quiet)
    with screen.counting(f"checking {store}:") as checked:
        found = verify(store, checked)
    if found.ok:
        screen.say(str(found), "green")
    for damage in found.bad:
        screen.say(damage.message, "red")
        if damage.keys:
            more = ", ..." if len(damage.keys) > KEYS_SHOWN else ""
            screen.say(f"    {len(damage.keys):,} keys: {', '.join(damage.keys[:KEYS_SHOWN])}{more}")
    if not found.ok:
        screen.say("hint: pack the source again: that repairs it.")
    screen.result(found.as_dict())
    if not found.ok:
        raise click.exceptions.Exit(DAMAGED)


def _summary(packed: Packed) -> list[str]:
    """What packing has done, for people."""
    manifest = packed.manifest
    size = f"{manifest.samples:,} samples, {manifest.store_bytes / 1e6:,.1f} MB"
    lines = [f"{packed.name}: {size}, in {packed.seconds:,.1f} s"]
    if packed.resumed:
        lines.append(f"{packed.resumed:,} of them were already packed")
    if packed.changes:
        changes = vars(packed.changes)
        counts = ", ".join(f"{count:,} {what}" for what, count in changes.items() if count)
        lines.append(f"since it was last packed: {counts or 'nothing has changed'}")
    if manifest.skipped:
        lines.append(f"{manifest.skipped:,} samples left out because they cannot be used")
    return lines


def _document(packed: Packed) -> dict[str, Any]:
    """What packing has done, for JSON."""
    manifest = packed.manifest
    return {
        "store": packed.name,
        "samples": manifest.samples,
        "source_bytes": packed.source_bytes,
        "store_bytes": manifest.store_bytes,
        "seconds": packed.seconds,
        "samples_per_second": manifest.samples / packed.seconds,
        "skipped": manifest.skipped,
        "resumed": packed.resumed,
        "changes": packed.changes and vars(packed.changes),
    }


def _described(data: Dataset) -> dict[str, Any]:
    """What a store holds, for JSON."""
    manifest = data.manifest
    schema = manifest.layout.schema
    return {
        "store": str(data.path),
        "samples": manifest.samples,
        **to_json(schema.inputs),
        "target": schema.target and to_json(schema.target),
        "classes": None if schema.classes is None else list(schema.classes),
        "weights": schema.weight is not None,
        "split_seed": manifest.split_seed,
        "store_bytes": manifest.store_bytes,
        "decoded_bytes": manifest.samples * schema.nbytes,
        "kept_as": sorted({codec.name for shard in manifest.shards for codec in shard.codecs}),
        "shards": len(manifest.shards),
        "chunks": sum(len(shard.chunks) for shard in manifest.shards),
        "rows_per_chunk": manifest.layout.rows_per_chunk,
        "skipped": manifest.skipped,
    }

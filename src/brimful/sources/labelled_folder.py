"""Labelled folder: lists the files of a folder and joins their labels, whatever the files hold."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from brimful.options import ScanOptions
from brimful.sources.labelling import Labelling
from brimful.sources.labels import Labels
from brimful.sources.listing import Listing

Inferred = TypeVar("Inferred")


class ListFiles(Protocol):
    """Lists those files of a folder that are samples."""

    def __call__(self, root: Path, *, without: Any, suffix: Any, progress: Any) -> Listing:
        """The files below a folder, without some, of a suffix if one is given."""


@dataclass(frozen=True)
class LabelledFolder(Generic[Inferred]):
    """The files of a folder, their labels, and what was inferred from the files meanwhile.

    `tables` are the label tables that lie in it.
    """

    listing: Listing
    labels: Labels | None
    inferred: Inferred
    tables: Sequence[Path] = ()


def label_folder(
    root: Path, options: ScanOptions, list_files: ListFiles, infer: Callable[[Listing], Inferred]
) -> LabelledFolder[Inferred]:
    """List a folder, draw as many files as `limit` says, and join labels while the files are looked at.

    Args:
        root: The folder.
        options: `labels`, the columns of a table, `suffix`, `limit`.
        list_files: Lists the files that may be samples.
        infer: What to find out about them; called in another thread.

    Raises:
        SourceError: There are no samples, or no labels that fit.
        ArgumentError: An option does not fit the folder or its label table.
    """
    labelling = Labelling(root, options)
    with ThreadPoolExecutor(1, "brimful-scan") as pool:
        reading = pool.submit(labelling.read)
        files = list_files(root, without=labelling.tables, suffix=options.suffix, progress=options.progress)
        whole = labelling.samples_of(files)
        limit = options.limit
        rows = whole.draw(limit) if limit is not None and limit < len(whole) else None
        listing = whole if rows is None else whole.take(rows)
        inferring = pool.submit(infer, listing)
        labels, unclear = labelling.labels(whole, reading.result())
        if labels and rows is not None:
            labels = labels.take(rows).with_findings(listing)
        inferred = inferring.result()
    listing = replace(listing, findings=(*listing.findings, *unclear))
    return LabelledFolder(listing, labels, inferred, labelling.tables)

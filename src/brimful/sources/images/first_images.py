"""FirstImages: what the first images of a folder are like, by their headers: sizes, modes, formats."""

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import BinaryIO

from PIL import ExifTags, Image

from brimful.encodings.containers import HEAD_BYTES, kind_of
from brimful.encodings.pixels import LYING
from brimful.errors import MalformedFileError
from brimful.samples import EXAMPLES, INFERRED_FROM, Finding
from brimful.sources.listing import Listing
from brimful.sources.read_files import fingerprint
from brimful.sources.walk import suffix_of

KINDS = {".jpg": "jpeg", ".jpeg": "jpeg", ".tif": "tiff", ".tiff": "tiff"}
"""The format that a suffix stands for, where it has another name."""

SIZES_SHOWN = 6


@dataclass
class FirstImages:
    """What is seen of the first images of a listing, at most INFERRED_FROM; no pixel of them is decoded.

    Attributes:
        files: How many files were looked at.
        sizes: How many images have each height and width, upright, of those that can be read.
        modes: How many have each of Pillow's modes.
        turned: How many are turned, as their EXIF orientation says.
        misnamed: Those of another format than their suffix says, and which.
        mean_bytes: Mean bytes of a file.
    """

    files: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    modes: Counter[str] = field(default_factory=Counter)
    turned: int = 0
    misnamed: list[str] = field(default_factory=list)
    mean_bytes: int = 1

    @classmethod
    def of(cls, listing: Listing) -> "FirstImages":
        """Look at the first files of a listing."""
        paths = listing.paths[:INFERRED_FROM].to_pylist()
        seen = cls(len(paths))
        total = sum(max(0, fingerprint(listing.root, path)[0]) for path in paths)
        seen.mean_bytes = max(1, total // len(paths))
        for path in paths:
            with suppress(OSError), (listing.root / path).open("rb") as file:
                seen.look(file, str(listing.root / path))
        return seen

    def look(self, file: BinaryIO, place: str) -> None:
        """Look at the header of an image; what cannot be read is for the audit to name."""
        kind, suffix = kind_of(file.read(HEAD_BYTES)), suffix_of(place)
        if not kind:
            return
        if kind != KINDS.get(suffix, suffix[1:]):
            self.misnamed.append(f"{place} is {kind.upper()}")
        file.seek(0)
        try:
            with Image.open(file, formats=[kind.upper()]) as image:
                width, height = image.size
                turn = image.getexif().get(ExifTags.Base.Orientation, 1)
                is_lying = turn in range(LYING + 1, 9) and image.format != "TIFF"  # which Pillow turns
                mode = image.mode
        except Exception:  # noqa: BLE001 (damaged bytes raise whatever their decoder meets first)
            return
        self.modes[mode] += 1
        self.turned += turn in range(2, 9)
        self.sizes[(width, height) if is_lying else (height, width)] += 1

    @property
    def most_pixels(self) -> int:
        """The most pixels that one of them has."""
        return max((height * width for height, width in self.sizes), default=1)

    @property
    def facts(self) -> Iterator[str]:
        """What was seen, for people."""
        if self.modes:
            modes = ", ".join(f"{n:,} {mode}" for mode, n in self.modes.most_common())
            turned = f"; {self.turned:,} turned by their EXIF orientation" if self.turned else ""
            yield f"of the first {self.files:,}: {modes}{turned}"

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The warning that files are not what their suffix says."""
        if not self.misnamed:
            return ()
        hint = (
            "Each file is read as what its first bytes say; other programs may go by the suffix. "
            f"Only the first {self.files:,} files were looked at for this."
        )
        few = tuple(self.misnamed[:EXAMPLES])
        return (Finding("wrong_suffix", len(self.misnamed), few, is_problem=False, hint=hint),)

    def common(self, name: str) -> tuple[int, int]:
        """The size that most of them have; `name` is that of all of them.

        Raises:
            MalformedFileError: None of them can be read, or there is no such size.
        """
        if not self.sizes:
            raise MalformedFileError(
                f"{name}: none of the first {self.files:,} files is an image that can be read.",
                "`brimful scan DATA --image-size 224,224` lists what is wrong with each.",
            )
        size, count = self.sizes.most_common(1)[0]
        if count * 2 <= self.sizes.total() and len(self.sizes) > 1:
            few = ", ".join(f"{n} of {height} x {width}" for (height, width), n in self._usual())
            more = ", ..." if len(self.sizes) > SIZES_SHOWN else ""
            raise MalformedFileError(
                f"{name}: the images have no size in common: {few}{more}.",
                "Say to which height and width they are resized: image_size=(224, 224), "
                "--image-size 224,224.",
                kind="wrong_shape",
            )
        return size

    def _usual(self) -> list[tuple[tuple[int, int], int]]:
        return self.sizes.most_common(SIZES_SHOWN)

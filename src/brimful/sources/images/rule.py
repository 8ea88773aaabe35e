"""Image rule: how images are decoded, as a user's options and the sizes of the first images say."""

from collections import Counter

from brimful.encodings.image import CHANNELS, ImageEncoding
from brimful.errors import ArgumentError, MalformedFileError
from brimful.options import COLOR_MODES, FLOATS, INTERPOLATIONS, ScanOptions, check_choice
from brimful.schema import Field

Sizes = Counter[tuple[int, int]]
"""How many images have each height and width."""

OPTIONS = ("image_size", "color_mode", "interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio")


def rule_of(options: ScanOptions, sizes: Sizes, name: str) -> ImageEncoding:
    """How images are decoded.

    Args:
        options: What the user says.
        sizes: The sizes of the first images, upright.
        name: The name of all of them, for errors.

    Raises:
        ArgumentError: Options contradict each other.
        MalformedFileError: No size is asked for, and the images have none in common.
    """
    mode = check_choice("color_mode", options.color_mode or "rgb", COLOR_MODES)
    interpolation = check_choice("interpolation", options.interpolation or "bilinear", INTERPOLATIONS)
    dtype = check_choice("dtype", options.dtype or "uint8", ("uint8", "uint16", *FLOATS))
    if dtype == "uint16" and mode != "grayscale":
        raise ArgumentError(
            "Expected color_mode='grayscale' with dtype='uint16'.", "Images in colour are read with 8 bits."
        )
    if options.crop_to_aspect_ratio and options.pad_to_aspect_ratio:
        raise ArgumentError(
            "Expected one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio`. Received: both"
        )
    fit = "crop" if options.crop_to_aspect_ratio else "pad" if options.pad_to_aspect_ratio else "stretch"
    size = options.image_size
    if size is None:
        if fit != "stretch" or options.interpolation:
            raise ArgumentError("Expected `image_size` with an option that says how images are resized.")
        size, fit = common_size(sizes, name), "exact"
    if len(size) != 2:
        raise ArgumentError(f"Expected `image_size` as (height, width). Received: {size}")
    return ImageEncoding(Field((*size, CHANNELS[mode]), dtype), mode, interpolation, fit)


def common_size(sizes: Sizes, name: str) -> tuple[int, int]:
    """The size that most of the first images have.

    Raises:
        MalformedFileError: None of them can be read, or there is no such size.
    """
    if not sizes:
        raise MalformedFileError(
            f"{name}: none of the first files is an image that can be read.",
            "`brimful scan DATA --image-size 224,224` lists what is wrong with each.",
        )
    size, count = sizes.most_common(1)[0]
    if count * 2 <= sizes.total():
        few = ", ".join(f"{n} of {height} x {width}" for (height, width), n in sizes.most_common(6))
        raise MalformedFileError(
            f"{name}: the images have no size in common: {few}{', ...' if len(sizes) > 6 else ''}.",
            "Say to which height and width they are resized: image_size=(224, 224), --image-size 224,224.",
            kind="wrong_shape",
        )
    return size

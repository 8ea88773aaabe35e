"""Image rule: how images are decoded, as a user's options and the first images say."""

from brimful.encodings.image import CHANNELS, ImageEncoding
from brimful.errors import ArgumentError
from brimful.options import COLOR_MODES, FLOATS, INTERPOLATIONS, ScanOptions, check_choice
from brimful.schema import Field
from brimful.sources.images.first_images import FirstImages

OPTIONS = (
    *("dtype", "shape", "image_size", "color_mode"),
    *("interpolation", "crop_to_aspect_ratio", "pad_to_aspect_ratio"),
)
"""The options that say how images are decoded."""

DTYPES = ("uint8", "uint16", *FLOATS)


def rule_of(options: ScanOptions, first: FirstImages, name: str) -> ImageEncoding:
    """How images are decoded, given what the first of them are like, and the name of all.

    Raises:
        ArgumentError: Options contradict each other.
        MalformedFileError: No size is asked for, and the images have none in common.
    """
    dtype = check_choice("dtype", options.dtype or "uint8", DTYPES)
    mode = _color_mode(options)
    if dtype == "uint16" and mode != "grayscale":
        raise ArgumentError(
            "Expected color_mode='grayscale' with dtype='uint16'.", "Images in colour have 8 bits."
        )
    if options.crop_to_aspect_ratio and options.pad_to_aspect_ratio:
        raise ArgumentError(
            "Expected one of `crop_to_aspect_ratio` and `pad_to_aspect_ratio`. Received: both"
        )
    interpolation = check_choice("interpolation", options.interpolation or "bilinear", INTERPOLATIONS)
    fit = "crop" if options.crop_to_aspect_ratio else "pad" if options.pad_to_aspect_ratio else "stretch"
    size = options.image_size
    if size is not None and len(size) != 2:
        raise ArgumentError(f"Expected `image_size` as (height, width). Received: {size}")
    if size is None:
        if fit != "stretch" or options.interpolation:
            raise ArgumentError("Expected `image_size` with an option that says how images are resized.")
        size, fit = (options.shape or first.common(name))[:2], "exact"
    elif options.shape is not None:
        raise ArgumentError("Expected one of `shape` and `image_size`. Received: both")
    return ImageEncoding(Field((*size, CHANNELS[mode]), dtype), mode, interpolation, fit)


def _color_mode(options: ScanOptions) -> str:
    """The channels that are wanted: those that are named, or as many as a given shape has."""
    mode = check_choice("color_mode", options.color_mode or "rgb", COLOR_MODES)
    shape = options.shape
    if shape is None:
        return mode
    mode = next((each for each, n in CHANNELS.items() if n == shape[-1]), mode)
    if len(shape) != 3 or CHANNELS[mode] != shape[2] or options.color_mode not in (None, mode):
        raise ArgumentError(
            "Expected `shape` of images as (height, width, channels), with 1, 3 or 4 channels that fit "
            f"`color_mode`. Received: shape={shape}, color_mode={options.color_mode!r}"
        )
    return mode

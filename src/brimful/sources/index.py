"""Index: the rows of a source."""

from brimful.sources.base import SourceReader as Index

__all__ = ["Index"]

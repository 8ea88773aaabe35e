"""`python -m brimful`."""

from brimful.cli.main import entry

entry()

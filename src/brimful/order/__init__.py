"""Which row comes when, and which side of a split it is on: integers only, no I/O."""

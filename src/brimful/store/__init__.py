"""Store: samples packed on disk, in shards of chunks, each with a checksum.

`narrowing` makes values small without loss, `format` says where every byte is, `shard` writes and
decodes them, `durable` brings them to the disk for good, `packing` does it for a source, `reader` gives
samples by row, `verify` checks every byte.
"""

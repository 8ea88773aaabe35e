"""Samples -> NumPy batches, read ahead in threads, inside a budget of memory. Knows no framework.

feed         the passes over the data, and the exact position in them
loader       the contract of where batches come from; two loaders:
  rows       a reader of single samples, raw files as a rule
  windows    a store, a window of its chunks at a time:
    prefetcher   the windows of an epoch, read while the one before is consumed
    chunks       the chunks of a view, in memory: chunk_cache, decode
    buffers      memory for batches, used again
budget       who may hold how much memory
postprocess  what becomes of a batch before it is handed out
stats        what was delivered, and what was waited for
benchmark    what a feed delivers, against memory
"""

"""Samples -> NumPy batches, read ahead in threads, inside a budget of memory. Knows no framework.

feed         the passes over the data, and the exact position in them
loader       the contract of what makes batches; two loaders:
  rows       of a reader of single samples, usually raw files
  windows    of a store, a window of its chunks at a time:
    prefetcher   the windows of an epoch, read while the one before is consumed
    chunks       the chunks of a view, in memory: chunk_cache, decode
    buffers      memory for batches, reused
budget       how memory is divided
postprocess  one-hot targets, weights, the user's transform, padding
stats        what was delivered, and how long the loop waited for it
benchmark    the speed of a feed, compared with memory
"""

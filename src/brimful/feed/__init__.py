"""Samples -> NumPy batches, read ahead in threads, inside a budget of memory. Knows no framework.

feed       the passes over the data, and the exact position in them
supply     where batches come from:
rows       a reader of single samples, raw files as a rule
windows    a store, a window of its chunks at a time: loading, slab
finish     what becomes of a batch before it is handed out
budget, window_budget, recycler   who may hold how much memory
speed      what a feed delivers, against memory
stats      what was delivered, and what was waited for
"""

"""Rows -> NumPy batches, read ahead in threads, inside a budget of memory. Knows no framework.

order.rows ──► blocks of rows ──► ReadAhead: threads that read and parse ──► batches, cut from the
(integers)     (a few hundred)    (a bounded number at a time, in order)     blocks into new arrays
"""

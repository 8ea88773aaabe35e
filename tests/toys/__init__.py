"""Toys: one small addition for each seam, made without touching the library."""

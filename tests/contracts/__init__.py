"""Contracts: each implementation of a seam against the suite of that seam."""

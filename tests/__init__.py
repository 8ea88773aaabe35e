"""Tests of brimful."""

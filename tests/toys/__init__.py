"""Toys: formats written as a user would write them, without touching the library."""

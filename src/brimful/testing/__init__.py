"""Contract suites for pytest: what every implementation of a seam promises. Each subclasses its suite."""

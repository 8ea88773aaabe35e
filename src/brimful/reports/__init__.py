"""Reports: a run folder -> one HTML file."""

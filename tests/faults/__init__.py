"""What happens when files change, processes are stopped, and data are bad."""

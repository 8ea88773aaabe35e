"""The demo: its images, and the files and figures of the story behind brimful."""

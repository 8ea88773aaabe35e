"""Pictures: HTML and SVG without scripts.

charts  lines, points, bars
sample  a sample as an image, or as a small plot
cell    a few samples, and the balance of classes, for the cell of a notebook
"""

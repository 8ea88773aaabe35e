"""Image folders: a sample is an image file.

listing  the image files of a folder, of several suffixes
folder   the format
"""

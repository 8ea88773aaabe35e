"""Image folders: a sample is an image file.

listing       the image files of a folder, of several suffixes
first_images  what the first of them are like
companions    masks and files of labels that lie beside images
rule          how images are decoded, as the options say
folder        the format
masks         the format with a mask for each image
scan          a folder -> its index, with labels or masks
"""

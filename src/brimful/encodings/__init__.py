"""Encodings: values that a source gives, and a store keeps, as bytes, and that are decoded for a batch.

base        the contract, and the error for bytes that cannot be decoded
containers  which format a file has, and whether it has its end
pixels      the bytes of an image file -> its pixels
image       an image file, delivered in one size
mask        an image of numbers of classes
ragged      numbers of any length, padded or cut
registry    the encoding of a field, by name
samples     encoded samples -> arrays
"""

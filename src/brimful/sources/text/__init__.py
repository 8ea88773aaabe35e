"""Text files of numbers, one sample per file.

folder     a folder of them, with labels -> samples
dialect    how the numbers lie in a file
parse      bytes -> numbers, many files in one native call
columns    the two native ways in which `parse` does it
contents   the bytes of many files, one behind another
"""

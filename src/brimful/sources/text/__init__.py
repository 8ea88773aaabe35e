"""Text files of numbers, one sample per file.

folder     a folder of them, with labels -> samples
ragged     a folder of those that differ in length
infer      what the first files of a folder show
dialect    how a file holds its numbers
parse      bytes -> numbers, many files in one native call
columns    the two native ways of `parse`
contents   the bytes of many files, joined
unpack     the text of files that are compressed
doubts     what the first files show of numbers that may mean something else
"""

"""Raw files -> samples: the listing, the label table, the numbers in the text.

listing   a folder    -> the paths of its sample files, in row order
labels    a table     -> a label for every row, joined by key
text      bytes       -> numbers, many files in one native call
files     paths       -> bytes, read ahead
csv_tree  all of these -> a Reader
scan      a folder    -> its TextFolder
indexable an object with `len` and `[i]` -> a Reader
"""

"""Raw data -> samples: any format, read through one index of rows.

base        Format: what a new format has to implement
text/       a format: a folder of text files; with the listing, the label table and the numbers in the text
tables/     a format: CSV, Parquet and Arrow files in which each row is a sample
images/     a format: a folder of images, and of the mask of each
arrays/     a format: arrays with an axis of samples, in memory or in files; a folder of arrays
archives/   a format: tar archives, members of one name are a sample
decoded     a format: another one whose encoded samples are decoded
objects     a format: any object with `len` and `[i] -> (x, y)`
detect      a path or an object -> the index of its samples: tries each format in turn
index       Index: the rows of any format: hashes, order, labels, what was left out
listing     a folder -> the paths of its sample files, in row order (walk, _getdents)
peek             the first names in a folder, to see what it holds
folder_format    what the formats of folders with a file per sample have in common
labelled_folder  a folder -> the paths of its sample files and their labels, whatever the files hold
labels      a label table, or the folders' names -> a label for every row, joined by key (label_table)
read_files  paths -> bytes, read ahead
audit       reads every sample once and counts all that is wrong (audit_cache)
"""

"""Tables: files in which each row is a sample: CSV, Parquet, Arrow.

scan          a path -> the index of its rows: opens the files, chooses the columns, joins the labels
table_format  TableFormat: a Format: the rows of a table, read a unit at a time
part          what a file of rows has to offer: names, a survey of all rows, units that are read whole
roles         which column is the id, which are targets, which are inputs
column        what is known of a column once all its rows were seen
values        columns as Arrow has them -> arrays of numbers, and the cells that are no good
files         a path -> its files of rows, with the columns that folders' names give
csv_file      a part: a CSV file (csv_dialect, csv_records, csv_survey, csv_cells)
parquet_file  a part: a Parquet file
arrow_file    a part: an Arrow IPC file, also called Feather
arrow_survey  the columns of files that know their types
"""

"""Tables: files in which each row is a sample: CSV, Parquet, Arrow.

scan          a path -> the index of its rows: opens the files, chooses the columns, joins the labels
table_format  TableFormat: a Format: the rows of a table, a unit of them decoded at a time
table         the rows of one or several files, numbered from 0, and what their columns hold
files         a path -> its files of rows, and the columns that folders' names give
roles         which column is the id, which are targets, which may be inputs
inputs        which columns are features, and the fields that they are delivered as
row_labels    what to predict for each row, from columns of the table
column        what is known of a column once all its rows were seen
values        columns as Arrow has them -> arrays of numbers, and the cells that are no good
part          what a file of rows has to offer: names, a survey of all rows, units that are read whole
csv_file      a part: a CSV file (csv_dialect, csv_records, csv_survey, csv_cells, byte_file)
parquet_file  a part: a Parquet file (pieces)
arrow_file    a part: an Arrow IPC file, also called Feather (pieces)
arrow_survey  the columns of files that know their types
"""

"""Arrays: samples along the first axis of arrays, in memory, in files, or one file per sample.

scan           a dict, an array, a file or a Zarr folder -> the index of its samples
recognise      whether a thing is any of these
opened         opens it: which array is input, target, weight (choice, meaning, library)
column         Column: one array, in memory or behind slices; reads chunk by chunk (chunk_cache, reshaped)
hdf5           HDF5 files, with all by which HDF5 gives zeros for what is not there
zarr_store     Zarr folders
npy, npz       NumPy files and archives, checked before memory is taken
array_format   ArrayFormat: the Format over columns (dtypes, files)
targets        labels and weights in arrays -> the labels of every row
folder         a folder with an array per file, also by the user's function (suffix, inferred, file_readers)
"""

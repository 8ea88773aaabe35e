"""Store: samples packed on disk, in shards of chunks, each with a checksum.

format      where every byte is: the manifest, and the specification
layout      how samples are divided into chunks and shards, and where the columns of a chunk are
codecs      how values are kept
pack        a source -> a store:
  estimate    what it will take
  changes     how the source differs from the store as it was
  sort        samples read in the order of the disk
  merge       each sample from the old store, from the sort, or from the source
  writer      the shards
  journal     which shards are done
  provenance  the fingerprints of the files that were packed
reader      samples by row, and chunk_reader below it
verify      every byte checked
"""

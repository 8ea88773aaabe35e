"""Storage: where the bytes of a store or a run are. One file for each kind of place.

base    the contract: read, list, write so that a file is seen whole or not at all, remove, lock
local   a folder on a disk of this machine
locate  a path or a storage -> the storage
"""

"""Storage: where the bytes of a store or a run lie. One file for each kind of place.

base    the contract: read, list, write so that a file is seen whole or not at all, remove, lock
local   a folder on a disk of this machine
locate  a path, an address or a storage -> the storage
"""

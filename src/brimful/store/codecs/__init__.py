"""Codecs: how the values of a field are kept in a store and given back. One file for each.

base      the contract
raw       as they are
encoded   as the bytes of an encoding, of any number
narrow    float32 as small integers, bit for bit
registry  the codecs there are, in the order in which they are tried
"""

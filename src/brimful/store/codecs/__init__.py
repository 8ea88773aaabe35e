"""Codecs: how the values of a field are kept in a store and given back. One file for each."""

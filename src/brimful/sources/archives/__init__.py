"""Tar archives as WebDataset writes them: members of one name are a sample, their suffixes name its fields.

members     where the members of shards are
fields      what the fields hold: images, arrays, labels
tar_format  the format, and its scan
"""

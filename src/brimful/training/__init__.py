"""Batches -> a trained model. The only place that imports keras.

batches   a Feed, in the seat that Keras keeps for data: `fit`, `evaluate`, `predict`
models    the built-in networks, and the user's by name
train     the epochs, both ways: `fit` or `train_on_batch`
report    what an epoch did, and who is told
run       the folder of one training
backend   which backend Keras runs on
"""

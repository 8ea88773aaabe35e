"""Batches -> a trained model. The only place that imports keras, and not before it is needed.

batches         a feed to loop over, and what `fit`, `evaluate` and `predict` take
keras_adapter   the seat that Keras keeps for data
backend         keras itself, imported on a backend that is installed
models          the built-in networks, and the user's by name
loop            the epochs, both ways: `fit` or `train_on_batch`
events          what happens in a training, and the listener that follows it
emitter         counts, makes each epoch's report, calls the listeners
run             a listener: the folder of one training
line_printer    a listener: a line per epoch
benchmark       what a model takes, and how long it waits
"""

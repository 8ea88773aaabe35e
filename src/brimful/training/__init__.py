"""Batches -> a trained model. The only place that imports keras, and not before it is needed.

batches         NumPy batches to loop over, and what `fit`, `evaluate` and `predict` take
seat            hands the passes of a feed to Keras, on each backend
keras_call      the call of `fit`, `evaluate` or `predict` that asks for them, and whether it can be served
backend         keras itself, imported on a backend that is installed
models          the built-in networks, and the user's by name
loop            the epochs, by `fit` or by `train_on_batch`
events          what happens in a training; the listener that follows it, and one that prints a line per epoch
emitter         counts, makes the report of each epoch, calls the listeners
run             a listener: the folder of one training
benchmark       how many samples a model takes, and how long it waits
"""

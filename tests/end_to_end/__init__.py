"""Whole ways: from files on disk to a trained model, through Keras and the command line."""

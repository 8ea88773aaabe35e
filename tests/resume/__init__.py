"""Trainings that are killed, and go on to the same bits."""

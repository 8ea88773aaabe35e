"""What holds for any input, shown with Hypothesis."""

"""What a run makes possible: its log, predictions, evaluation, report."""

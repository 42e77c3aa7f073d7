"""Loops over several validation or test sets that return their metrics."""

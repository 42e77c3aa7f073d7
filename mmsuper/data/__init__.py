"""Data: sample data sets, resizing, reading pictures, and transforms for pipelines."""

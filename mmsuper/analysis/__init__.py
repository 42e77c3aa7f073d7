"""Cost and speed of a config's model, and curves of runs: the verb ``analyze``."""

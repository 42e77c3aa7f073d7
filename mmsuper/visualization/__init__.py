"""Pictures of data and results, for people to look at."""

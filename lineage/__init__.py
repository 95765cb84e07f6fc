"""Questions about versions of the dataset, and the `dataset` command. Never part of a run."""

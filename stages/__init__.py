"""The pipeline: one file per stage, run as `python -m stages.<name>`."""

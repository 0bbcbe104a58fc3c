"""The steps of the pipelines, one file each, with what only they need."""

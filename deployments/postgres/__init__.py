"""The only package that opens a target database."""

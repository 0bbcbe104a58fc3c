"""What a restore costs: what was written since the backup, counted where it can be, "at most" where it cannot.

- `origin`: what a backup notes, so that this can be told later. `estimate`: what it says about a database now.
"""

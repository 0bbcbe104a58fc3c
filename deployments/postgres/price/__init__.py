"""What a way back costs: counted where it can be, "at most" where it cannot, and told where nothing is known.

- `origin`: what a backup notes, so that this can be told later. `estimate`: what a restore of it loses.
- `script`: what a rollback script drops, and which rows would not fit the schema it brings back.
"""

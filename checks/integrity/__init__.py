"""What is asked of the data around a migration, and what the answers mean: judging, not asking."""

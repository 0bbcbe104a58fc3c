"""Everything screens and commands read."""

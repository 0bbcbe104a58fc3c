"""Where migration files come from."""

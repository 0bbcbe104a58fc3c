"""What each kind of statement does to the schema, one file per kind."""

"""The commands of an ALTER TABLE one by one, and what each adds or changes: what rules about columns ask of it."""

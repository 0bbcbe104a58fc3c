"""A folder of migrations: its files, its history, what it was at another commit, and what was judged of it before."""

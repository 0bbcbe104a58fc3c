-- The migration that made the columns drops them, and these values with them. Here nothing is to be done.
SELECT 1;

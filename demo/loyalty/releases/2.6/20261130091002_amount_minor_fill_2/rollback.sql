-- The migration that made the column drops it, and these values with it. Here nothing is to be done.
SELECT 1;

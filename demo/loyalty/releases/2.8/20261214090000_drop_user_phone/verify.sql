-- The column is gone
-- expect: 0
SELECT count(*) FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = 'users' AND column_name = 'phone';

-- Who the first users are
-- expect: unchanged
SELECT id, email, name FROM users WHERE id <= 500;

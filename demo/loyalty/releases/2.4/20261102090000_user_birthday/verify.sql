-- The column is there, and may be left empty
-- expect: 'YES'
SELECT is_nullable FROM information_schema.columns
WHERE table_schema = 'public' AND table_name = 'users' AND column_name = 'birthday';

-- Who the first users are
-- expect: unchanged
SELECT id, email, name, phone FROM users WHERE id <= 500;

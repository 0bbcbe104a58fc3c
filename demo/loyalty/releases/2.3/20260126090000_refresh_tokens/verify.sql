-- A token is kept as its hash, 64 hexadecimal digits
-- expect: 0
SELECT count(*) FROM refresh_tokens WHERE token_hash !~ '^[0-9a-f]{64}$';

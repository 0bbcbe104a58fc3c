-- No reward is for nothing
-- expect: 0
SELECT count(*) FROM rewards WHERE points <= 0;

-- The businesses themselves stay as they are
-- expect: unchanged
SELECT id, name, created_at FROM businesses WHERE id <= 100;

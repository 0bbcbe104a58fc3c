-- Only over channels there are
-- expect: no rows
SELECT id FROM notification_log WHERE channel NOT IN ('email', 'push');

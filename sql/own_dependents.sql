-- What was computed from a key does not outlive an own change of the key, not
-- even for the session that makes it and has not committed yet.
SELECT cache_set('own:inner', 1);
SELECT cache_fetch('own:outer', 'SELECT cache_get($1, 0)', ROW('own:inner'));
BEGIN;
SELECT cache_set('own:inner', 2);
SELECT cache_fetch('own:outer', 'SELECT cache_get($1, 0)', ROW('own:inner'));
SAVEPOINT a;
SELECT cache_invalidate('own:inner');
SELECT cache_fetch('own:outer', 'SELECT cache_get($1, 0)', ROW('own:inner'));
ROLLBACK TO a;
SELECT cache_fetch('own:outer', 'SELECT cache_get($1, 0)', ROW('own:inner'));
ROLLBACK;
SELECT cache_fetch('own:outer', 'SELECT cache_get($1, 0)', ROW('own:inner'));
-- that was a hit, and the one after a commit is not
SELECT (cache_entry('own:outer')).state;
SELECT cache_set('own:inner', 3);
SELECT cache_fetch('own:outer', 'SELECT cache_get($1, 0)', ROW('own:inner'));

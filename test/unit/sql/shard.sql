-- Each test returns ok or raises an error that says what does not hold.
SELECT test_shard_vectors();
-- Load of 10 nodes with a million keys: the fullest against the mean.
SELECT test_shard_load('rendezvous', 10, '{}', 1000000) <= 1.05 AS rendezvous,
  test_shard_load('ketama', 10, '{}', 1000000) <= 1.2 AS ketama;
-- With weights each gets its share, also where they differ much.
SELECT test_shard_load('rendezvous', 4, '{1,2,3,10}', 1000000) <= 1.02 AS rendezvous,
  test_shard_load('rendezvous', 3, '{1,1000,1000}', 1000000) <= 1.15 AS extreme,
  test_shard_load('ketama', 4, '{1,2,3,10}', 1000000) <= 1.3 AS ketama;
-- A fourth server takes a quarter of the keys from three; the order of the
-- list says nothing; a server that goes moves its own keys only;
-- one in its place takes as many from all.
SELECT method,
  abs(test_shard_moved(method, '{a,b,c}', '{a,b,c,d}', 1000000) - 0.25) <= bound AS joined,
  test_shard_moved(method, '{a,b,c}', '{c,a,b}', 100000) AS reordered,
  abs(test_shard_moved(method, '{a,b,c,d}', '{a,c,d}', 1000000) - 0.25) <= bound AS gone,
  abs(test_shard_moved(method, '{a,b,c}', '{a,b,x}', 1000000) - 0.5) <= bound AS replaced
FROM (VALUES ('rendezvous', 0.01), ('ketama', 0.06)) methods (method, bound);

-- Needs cachepg_loop in shared_preload_libraries (but for loop_replay).
CREATE FUNCTION loop_fill(keys integer, value_bytes integer) RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME';
CREATE FUNCTION loop_get(keys integer, seconds float8, zipf float8, seed integer, OUT gets bigint, OUT hits bigint, OUT seconds_taken float8) LANGUAGE c AS 'MODULE_PATHNAME';
CREATE FUNCTION loop_sizes(sets integer, seed integer, OUT stored bigint, OUT refused bigint, OUT samples bigint, OUT over_budget bigint) LANGUAGE c AS 'MODULE_PATHNAME';
CREATE FUNCTION loop_replay(path text, eviction text, entries integer, OUT accesses bigint, OUT hits bigint, OUT capacity integer) LANGUAGE c AS 'MODULE_PATHNAME';

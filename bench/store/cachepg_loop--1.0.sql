-- The store loops (fill, get, sizes) need cachepg_loop in shared_preload_libraries.
CREATE FUNCTION loop_fill(keys integer, value_bytes integer, dependencies integer, tags integer) RETURNS bigint LANGUAGE c AS 'MODULE_PATHNAME';
CREATE FUNCTION loop_get(keys integer, seconds float8, zipf float8, seed integer, together integer, OUT gets bigint, OUT hits bigint, OUT seconds_taken float8, OUT cpu_seconds float8) LANGUAGE c AS 'MODULE_PATHNAME';
CREATE FUNCTION loop_call(keys integer, seconds float8, zipf float8, seed integer, together integer, OUT gets bigint, OUT hits bigint, OUT seconds_taken float8, OUT cpu_seconds float8) LANGUAGE c AS 'MODULE_PATHNAME';
CREATE FUNCTION loop_sizes(sets integer, seed integer, OUT stored bigint, OUT too_large bigint, OUT no_room bigint, OUT samples bigint, OUT over_budget bigint, OUT bytes bigint) LANGUAGE c AS 'MODULE_PATHNAME';
CREATE FUNCTION loop_replay(path text, eviction text, entries integer, sizes text, OUT accesses bigint, OUT hits bigint, OUT hit_bytes bigint, OUT all_bytes bigint) LANGUAGE c AS 'MODULE_PATHNAME';
CREATE FUNCTION loop_key(number integer) RETURNS text LANGUAGE c IMMUTABLE PARALLEL SAFE AS 'MODULE_PATHNAME';
-- declared as cache_get(text, text) is
CREATE FUNCTION loop_value(key text, if_absent text) RETURNS text LANGUAGE c PARALLEL RESTRICTED AS 'MODULE_PATHNAME';
CREATE FUNCTION loop_wait() RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME';
CREATE FUNCTION loop_release() RETURNS integer LANGUAGE c AS 'MODULE_PATHNAME';

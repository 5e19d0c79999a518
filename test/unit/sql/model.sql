-- A million random operations per policy, each compared with a reference model.
SELECT test_model('s3fifo', 1000000, 1);
SELECT test_model('lru', 1000000, 2);
-- Negative controls: a model with one rule changed must disagree.
\set VERBOSITY terse
CREATE FUNCTION disagrees(eviction text, fault text) RETURNS boolean LANGUAGE plpgsql AS
$$BEGIN
	PERFORM test_model(eviction, 200000, 3, fault);
	RETURN false;
EXCEPTION WHEN internal_error THEN
	RETURN true;
END$$;
SELECT disagrees('s3fifo', 'threshold'), disagrees('s3fifo', 'ghost'), disagrees('lru', 'recency');
DROP FUNCTION disagrees;

SELECT test_breaker();
-- Random steps, each compared with a model: with a steady clock and configuration, and without.
SELECT test_breaker_model(100000, 1, true), test_breaker_model(100000, 2, false);
-- Negative controls: a model with one rule changed must disagree.
\set VERBOSITY terse
CREATE FUNCTION disagrees(fault text) RETURNS boolean LANGUAGE plpgsql AS
$$BEGIN
	PERFORM test_breaker_model(100000, 1, true, fault);
	RETURN false;
EXCEPTION WHEN internal_error THEN
	RETURN true;
END$$;
SELECT disagrees('window'), disagrees('deadline'), disagrees('late');
DROP FUNCTION disagrees;

-- All orders of the steps of three writers, two loads and a reader.
SELECT test_interleaving('nothing');
-- Negative controls: with a mechanism left out one of them gives a stale hit.
SELECT omitted, test_interleaving(omitted)
FROM unnest('{fence,stamp order,maximum,mark,put check,contention,dispute}'::text[]) omitted;

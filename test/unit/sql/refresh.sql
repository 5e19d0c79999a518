-- Early refresh obeys the law of XFetch: stampede size and gap within 5 %.
SELECT beta, test_xfetch_law(beta, beta, 8000, 1) FROM unnest('{1,2,4}'::float8[]) beta;
-- Negative controls: a beta that is 20 % off is seen.
SELECT test_xfetch_law(0.8, 1, 2000, 1), test_xfetch_law(1.2, 1, 2000, 1);
SELECT beta, off, test_xfetch_law(beta * off, beta, 2000, 1) <> 'ok' AS seen
FROM unnest('{2,4}'::float8[]) beta, unnest('{0.8,1.2}'::float8[]) off;
SELECT test_xfetch_edges(), test_xfetch_possible();
SELECT test_delta_average(), test_adaptive();

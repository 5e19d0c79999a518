-- What does application $1 need: how many packages, of what size (kB), and
-- which of its own dependencies bring the most?
--
-- Written by hand to run fast: the recursion and the sizes come from index-only
-- scans (OFFSET 0 keeps the planner from reading all packages instead).
WITH RECURSIVE closure(branch, id) AS (
	SELECT needs, needs FROM dependency WHERE package = $1::integer
  UNION
	SELECT c.branch, d.needs FROM closure c JOIN dependency d ON d.package = c.id
),
needed AS (
	SELECT branch, closure.id, kilobytes
	FROM closure,
		LATERAL (SELECT installed_size FROM package WHERE id = closure.id OFFSET 0) AS p(kilobytes)
),
heaviest AS (
	SELECT branch AS id, sum(kilobytes) AS kilobytes
	FROM needed GROUP BY branch ORDER BY kilobytes DESC, branch LIMIT 5
)
SELECT count(*) AS packages, sum(kilobytes) AS kilobytes,
	(SELECT jsonb_object_agg(name, kilobytes) FROM heaviest JOIN package USING (id)) AS heaviest
FROM (SELECT DISTINCT id, kilobytes FROM needed) AS each

-- The questions to a fleet, in the SQL that Spark and DuckDB share.
--
-- Needs a view `judged` with the rows, and a view `compared` (old_release, new_release). DuckDB needs
-- CREATE MACRO explode(l) AS unnest(l) besides. ptdump_lint.fleet.ask makes all of them.

-- An input that was judged twice by the same program counts once: the last attempt.
CREATE OR REPLACE TEMPORARY VIEW latest AS
SELECT * FROM (
  SELECT *, row_number() OVER (
    PARTITION BY path, length, mtime, tool ORDER BY attempt DESC, outcome) AS place
  FROM judged
) AS numbered WHERE place = 1;

CREATE OR REPLACE TEMPORARY VIEW finding AS
SELECT path, coalesce(machine, path) AS machine, coalesce(release, 'unknown') AS release,
  coalesce(day, 'unknown') AS day, f.rule AS rule, f.name AS name, f.severity AS severity,
  f.message AS message, f.area AS area, f.fingerprint AS fingerprint, f.cause_key AS cause
FROM (SELECT path, machine, release, day, explode(findings) AS f FROM latest) AS flat
WHERE NOT f.known AND f.suppression IS NULL AND f.severity <> 'note';

CREATE OR REPLACE TEMPORARY VIEW fault AS
SELECT path, coalesce(machine, path) AS machine, coalesce(release, 'unknown') AS release,
  f.kind AS kind, coalesce(f.cause, 'unknown') AS cause, coalesce(f.area, 'unknown') AS area
FROM (SELECT path, machine, release, explode(faults) AS f FROM latest) AS flat;

CREATE OR REPLACE TEMPORARY VIEW self_test AS
SELECT path, coalesce(release, 'unknown') AS release, t.test_bit AS test_bit,
  t.verdict AS verdict, t.failures AS failures
FROM (SELECT path, release, explode(self_tests) AS t FROM latest) AS flat;

CREATE OR REPLACE TEMPORARY VIEW direct_map_page AS
SELECT path, coalesce(machine, path) AS machine, coalesce(day, 'unknown') AS day,
  p.page_size AS page_size, p.count AS pages
FROM (SELECT path, machine, day, explode(direct_map) AS p FROM latest) AS flat;

-- 1. Which causes are seen most?
CREATE OR REPLACE TEMPORARY VIEW top_causes AS
SELECT cause, min(rule) AS rule, min(name) AS name, min(severity) AS severity,
  count(DISTINCT path) AS inputs, count(DISTINCT machine) AS machines, count(*) AS findings,
  count(DISTINCT fingerprint) AS fingerprints, min(coalesce(area, '')) AS area,
  min(message) AS example
FROM finding GROUP BY cause ORDER BY inputs DESC, findings DESC, cause;

-- 2. Since when is each seen?
CREATE OR REPLACE TEMPORARY VIEW first_seen AS
SELECT cause, min(rule) AS rule, min(name) AS name, min(day) AS first_day, max(day) AS last_day,
  min_by(release, concat(day, ' ', release)) AS first_release, count(DISTINCT path) AS inputs,
  min(message) AS example
FROM finding GROUP BY cause ORDER BY first_day DESC, cause;

-- 3. How does each release do?
CREATE OR REPLACE TEMPORARY VIEW by_release AS
SELECT coalesce(latest.release, 'unknown') AS release, count(*) AS inputs,
  sum(CASE WHEN outcome = 'clean' THEN 1 ELSE 0 END) AS clean,
  sum(CASE WHEN outcome = 'findings' THEN 1 ELSE 0 END) AS with_findings,
  sum(CASE WHEN outcome = 'partial' THEN 1 ELSE 0 END) AS in_part,
  sum(CASE WHEN outcome NOT IN ('clean', 'findings', 'partial') THEN 1 ELSE 0 END) AS not_read,
  coalesce(max(f.causes), 0) AS causes
FROM latest LEFT JOIN (
  SELECT release, count(DISTINCT cause) AS causes FROM finding GROUP BY release
) AS f ON coalesce(latest.release, 'unknown') = f.release
GROUP BY coalesce(latest.release, 'unknown') ORDER BY release;

-- 4. What does a new release have that the old one has not, and the other way?
CREATE OR REPLACE TEMPORARY VIEW regressions AS
SELECT CASE WHEN sum(CASE WHEN f.release = new_release THEN 1 ELSE 0 END) > 0
    THEN 'new' ELSE 'gone' END AS change,
  old_release, new_release, cause, min(rule) AS rule, min(name) AS name,
  count(DISTINCT path) AS inputs, min(message) AS example
FROM finding AS f CROSS JOIN compared
WHERE f.release = old_release OR f.release = new_release
GROUP BY old_release, new_release, cause
HAVING count(DISTINCT f.release) = 1 AND old_release <> new_release
ORDER BY change DESC, inputs DESC, cause;

-- 5. What was not read whole, and why?
CREATE OR REPLACE TEMPORARY VIEW not_read AS
SELECT outcome, coalesce(cause, '') AS cause, count(*) AS inputs, min(path) AS example,
  min(coalesce(reason, stderr, '')) AS why
FROM latest WHERE outcome NOT IN ('clean', 'findings') OR NOT coalesce(complete, false)
GROUP BY outcome, coalesce(cause, '') ORDER BY inputs DESC, outcome, cause;

-- 6. What came of the CPA self-tests?
CREATE OR REPLACE TEMPORARY VIEW self_test_verdicts AS
SELECT release, test_bit, verdict, count(*) AS runs, count(DISTINCT path) AS inputs,
  sum(failures) AS failures
FROM self_test GROUP BY release, test_bit, verdict ORDER BY release, test_bit, verdict;

-- 7. Why did accesses fault?
CREATE OR REPLACE TEMPORARY VIEW faults_by_cause AS
SELECT kind, cause, area, count(*) AS faults, count(DISTINCT machine) AS machines
FROM fault GROUP BY kind, cause, area ORDER BY faults DESC, kind, cause, area;

-- 8. How far is the direct map split, on each machine and over time? arm64 has tables of 4, 16 or 64 KiB pages.
CREATE OR REPLACE TEMPORARY VIEW direct_map AS
SELECT machine, day, count(DISTINCT path) AS inputs,
  sum(CASE WHEN page_size <= 65536 THEN pages ELSE 0 END) AS pages_small,
  sum(CASE WHEN page_size > 65536 AND page_size < 1073741824 THEN pages ELSE 0 END) AS pages_middle,
  sum(CASE WHEN page_size >= 1073741824 THEN pages ELSE 0 END) AS pages_1g,
  round(100.0 * sum(CASE WHEN page_size <= 65536 THEN CAST(pages AS DOUBLE) * page_size ELSE 0 END)
    / sum(CAST(pages AS DOUBLE) * page_size), 1) AS percent_in_small
FROM direct_map_page GROUP BY machine, day ORDER BY machine, day;

-- What came of the inputs, day by day.
CREATE OR REPLACE TEMPORARY VIEW trend AS
SELECT coalesce(day, 'unknown') AS day, count(*) AS inputs,
  sum(CASE WHEN outcome = 'findings' THEN 1 ELSE 0 END) AS with_findings,
  sum(CASE WHEN outcome NOT IN ('clean', 'findings') THEN 1 ELSE 0 END) AS not_read_whole
FROM latest GROUP BY coalesce(day, 'unknown') ORDER BY day;

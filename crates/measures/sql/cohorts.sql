-- Cohorts
-- The members by month of enrolment: how many they are, how many were active in the period, and their
--   revenue up to its end, including what they bought before they joined. `months_since` counts from the
--   month of enrolment to that of the last day of the period. Accounts of households are not counted.
-- Unit: share of the cohort that is active, from 0 to 1.
-- Source: common in customer analysis.
WITH persons AS (
  SELECT m.member, m.day_number, substr(CAST(m.day AS VARCHAR(10)), 1, 7) AS cohort,
    EXTRACT(YEAR FROM m.day) * 12 + EXTRACT(MONTH FROM m.day) AS month_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
),
sizes AS (
  SELECT p.period, m.cohort,
    EXTRACT(YEAR FROM p.last_day) * 12 + EXTRACT(MONTH FROM p.last_day) - m.month_number AS months_since,
    count(*) AS members
  FROM periods p
  JOIN persons m ON m.day_number <= p.last_number
  GROUP BY p.period, m.cohort,
    EXTRACT(YEAR FROM p.last_day) * 12 + EXTRACT(MONTH FROM p.last_day) - m.month_number
),
active_days AS (
  SELECT DISTINCT e.member, e.day_number, m.cohort, m.day_number AS enrolled_number
  FROM entries e
  JOIN persons m ON m.member = e.member
  WHERE e.verb IN ('redeem', 'capture') OR (e.verb = 'earn' AND e.origin = 'told')
),
actives AS (
  SELECT p.period, a.cohort, count(DISTINCT a.member) AS active_members
  FROM periods p
  JOIN active_days a ON a.day_number BETWEEN p.first_number AND p.last_number
    AND a.enrolled_number <= p.last_number
  GROUP BY p.period, a.cohort
),
-- What was bought before the enrolment counts from then on, since the member is in no cohort before.
revenue_days AS (
  SELECT m.cohort, greatest(e.day_number, m.day_number) AS day_number, sum(e.revenue) AS revenue
  FROM entries e
  JOIN persons m ON m.member = e.member
  GROUP BY m.cohort, greatest(e.day_number, m.day_number)
),
revenues AS (
  SELECT p.period, d.cohort, sum(d.revenue) AS revenue
  FROM periods p
  JOIN revenue_days d ON d.day_number <= p.last_number
  GROUP BY p.period, d.cohort
)
SELECT s.period, s.cohort, s.months_since, s.members, coalesce(a.active_members, 0) AS active_members,
  coalesce(r.revenue, 0) AS revenue,
  CAST(coalesce(a.active_members, 0) AS DOUBLE) / CAST(s.members AS DOUBLE) AS active_share
FROM sizes s
LEFT JOIN actives a ON a.period = s.period AND a.cohort = s.cohort
LEFT JOIN revenues r ON r.period = s.period AND r.cohort = s.cohort
ORDER BY period, cohort

-- Participation rate
-- The share of the members at the end of the period who took a reward in it, or bought in it and did not
--   return all of that. Accounts of households are not counted. Empty while there are no members.
-- Unit: share of members, from 0 to 1.
-- Source: ours.
WITH persons AS (
  SELECT m.member, m.day_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
),
days AS (
  SELECT e.member, e.day_number, m.day_number AS enrolled_number, sum(e.orders) AS orders,
    sum(CASE WHEN e.verb IN ('redeem', 'capture') THEN 1 ELSE 0 END) AS rewards
  FROM entries e
  JOIN persons m ON m.member = e.member
  WHERE e.orders <> 0 OR e.verb IN ('redeem', 'capture')
  GROUP BY e.member, e.day_number, m.day_number
),
participants AS (
  SELECT p.period, d.member
  FROM periods p
  JOIN days d ON d.day_number BETWEEN p.first_number AND p.last_number AND d.enrolled_number <= p.last_number
  GROUP BY p.period, d.member
  HAVING sum(d.orders) >= 1 OR sum(d.rewards) >= 1
),
participation AS (
  SELECT period, count(*) AS participants FROM participants GROUP BY period
),
sizes AS (
  SELECT p.period, count(m.member) AS members
  FROM periods p
  LEFT JOIN persons m ON m.day_number <= p.last_number
  GROUP BY p.period
)
SELECT s.period, s.members, coalesce(a.participants, 0) AS participants,
  CASE WHEN s.members > 0
    THEN CAST(coalesce(a.participants, 0) AS DOUBLE) / CAST(s.members AS DOUBLE) END AS participation_rate
FROM sizes s
LEFT JOIN participation a ON a.period = s.period
ORDER BY period

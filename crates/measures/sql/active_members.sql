-- Active members
-- The persons who bought, did something else that was reported, or took a reward in the period, by the day
--   on which it happened. It counts even if it was taken back later. Accounts of households are not counted.
-- Unit: persons.
-- Source: ours; programmes differ in the length of the period and in what counts.
WITH persons AS (
  SELECT m.member, m.day_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
),
active_days AS (
  SELECT DISTINCT e.member, e.day_number
  FROM entries e
  JOIN persons m ON m.member = e.member
  WHERE e.verb IN ('redeem', 'capture') OR (e.verb = 'earn' AND e.origin = 'told')
)
SELECT p.period, count(DISTINCT a.member) AS active_members
FROM periods p
LEFT JOIN active_days a ON a.day_number BETWEEN p.first_number AND p.last_number
GROUP BY p.period
ORDER BY period

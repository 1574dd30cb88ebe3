-- Members by tier
-- The persons who were members at the end of the period, by their tier on that day: the one after the last
--   entry that happened up to it. An empty text is no tier. Accounts of households are not counted.
-- Unit: persons.
-- Source: common in loyalty reporting.
WITH persons AS (
  SELECT m.member, m.day_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
),
steps AS (
  SELECT e.member, coalesce(e.tier, '') AS tier, e.day_number,
    lead(e.day_number) OVER (PARTITION BY e.member ORDER BY e.day_number, e.entry) AS next_number
  FROM entries e
)
SELECT p.period, coalesce(s.tier, '') AS tier, count(*) AS members
FROM periods p
JOIN persons m ON m.day_number <= p.last_number
LEFT JOIN steps s ON s.member = m.member AND s.day_number <= p.last_number
  AND (s.next_number IS NULL OR s.next_number > p.last_number)
GROUP BY p.period, coalesce(s.tier, '')
ORDER BY period, tier

-- Members
-- The persons who had joined the programme by the end of the period. A member whose wallets others share, at
--   any time, is the account of a household and not counted. Persons who were erased later are not counted
--   either, since they leave the history.
-- Unit: persons.
-- Source: common in loyalty reporting.
WITH persons AS (
  SELECT m.member, m.day_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
)
SELECT p.period, count(m.member) AS members
FROM periods p
LEFT JOIN persons m ON m.day_number <= p.last_number
GROUP BY p.period
ORDER BY period

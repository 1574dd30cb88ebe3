-- Enrolments
-- The persons who joined the programme in the period. Accounts of households are not counted.
-- Unit: persons.
-- Source: common in loyalty reporting.
WITH persons AS (
  SELECT m.member, m.day_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
)
SELECT p.period, count(m.member) AS enrolments
FROM periods p
LEFT JOIN persons m ON m.day_number BETWEEN p.first_number AND p.last_number
GROUP BY p.period
ORDER BY period

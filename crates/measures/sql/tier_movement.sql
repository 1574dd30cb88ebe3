-- Movement between tiers
-- The persons who were members at the end of the period, by their tier before the period and at its end. An
--   empty text is no tier, as for those who joined in the period. The tier on a day is the one after the
--   last entry that happened up to it. Accounts of households are not counted.
-- Unit: persons.
-- Source: ours; a transition matrix.
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
SELECT p.period, coalesce(b.tier, '') AS tier_before, coalesce(a.tier, '') AS tier_after, count(*) AS members
FROM periods p
JOIN persons m ON m.day_number <= p.last_number
LEFT JOIN steps b ON b.member = m.member AND b.day_number < p.first_number
  AND (b.next_number IS NULL OR b.next_number >= p.first_number)
LEFT JOIN steps a ON a.member = m.member AND a.day_number <= p.last_number
  AND (a.next_number IS NULL OR a.next_number > p.last_number)
GROUP BY p.period, coalesce(b.tier, ''), coalesce(a.tier, '')
ORDER BY period, tier_before, tier_after

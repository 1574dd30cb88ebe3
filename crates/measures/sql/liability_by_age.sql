-- Units owed, by age
-- The balance of each wallet at the end of the period, by whole months since the units came in: 3-6 is from
--   3 to less than 6. The oldest units of a member are taken to have left first. Units that were given back
--   count from that day. `debt` is what members owe, below zero. The sum is the closing balance of `units`.
--   The worth is left out, since it would not be exact: which lot a unit of an age belongs to is not
--   recorded.
-- Unit: units.
-- Source: ours; an aged balance by first in, first out.
WITH days AS (
  SELECT member, wallet, day, day_number,
    sum(CASE WHEN units > 0 THEN units ELSE 0 END) AS came,
    sum(CASE WHEN units < 0 THEN -units ELSE 0 END) AS went
  FROM movements
  WHERE NOT shared AND units <> 0
  GROUP BY member, wallet, day, day_number
),
running AS (
  SELECT member, wallet, day, day_number, came,
    sum(came) OVER (PARTITION BY member, wallet ORDER BY day_number ROWS UNBOUNDED PRECEDING) AS came_so_far,
    sum(went) OVER (PARTITION BY member, wallet ORDER BY day_number ROWS UNBOUNDED PRECEDING) AS went_so_far,
    lead(day_number) OVER (PARTITION BY member, wallet ORDER BY day_number) AS next_number
  FROM days
),
balances AS (
  SELECT p.period, p.last_day, p.last_number, r.member, r.wallet, r.came_so_far AS came, r.went_so_far AS went
  FROM periods p
  JOIN running r ON r.day_number <= p.last_number AND (r.next_number IS NULL OR r.next_number > p.last_number)
  WHERE r.came_so_far <> r.went_so_far
),
remaining AS (
  SELECT b.period, b.wallet, least(i.came, i.came_so_far - b.went) AS units,
    (EXTRACT(YEAR FROM b.last_day) - EXTRACT(YEAR FROM i.day)) * 12
      + EXTRACT(MONTH FROM b.last_day) - EXTRACT(MONTH FROM i.day)
      - CASE WHEN EXTRACT(DAY FROM i.day) > EXTRACT(DAY FROM b.last_day) THEN 1 ELSE 0 END AS months
  FROM balances b
  JOIN running i ON i.member = b.member AND i.wallet = b.wallet AND i.day_number <= b.last_number
    AND i.came > 0 AND i.came_so_far > b.went
),
classes AS (
  SELECT period, wallet, units,
    CASE WHEN months < 3 THEN 1 WHEN months < 6 THEN 2 WHEN months < 12 THEN 3 WHEN months < 24 THEN 4
      ELSE 5 END AS class
  FROM remaining
  UNION ALL
  SELECT period, wallet, came - went AS units, 6 AS class
  FROM balances
  WHERE came < went
),
sums AS (
  SELECT period, wallet, class, sum(units) AS units FROM classes GROUP BY period, wallet, class
)
SELECT period, wallet,
  CASE class WHEN 1 THEN '0-3' WHEN 2 THEN '3-6' WHEN 3 THEN '6-12' WHEN 4 THEN '12-24' WHEN 5 THEN 'over 24'
    ELSE 'debt' END AS age,
  units
FROM sums
ORDER BY period, wallet, class

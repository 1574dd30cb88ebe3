-- Repeat purchase rate
-- The share of the members who bought in the period that bought more than once in it. An order is taken off
--   on the day on which it comes back as a whole. Accounts of households are not counted. Empty if nobody
--   bought.
-- Unit: share of buyers, from 0 to 1.
-- Source: common in retail.
WITH persons AS (
  SELECT m.member, m.day_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
),
days AS (
  SELECT e.member, e.day_number, sum(e.orders) AS orders
  FROM entries e
  JOIN persons m ON m.member = e.member
  WHERE e.orders <> 0
  GROUP BY e.member, e.day_number
),
buyers AS (
  SELECT p.period, d.member, sum(d.orders) AS orders
  FROM periods p
  JOIN days d ON d.day_number BETWEEN p.first_number AND p.last_number
  GROUP BY p.period, d.member
  HAVING sum(d.orders) >= 1
),
sums AS (
  SELECT p.period, count(b.member) AS buyers,
    coalesce(sum(CASE WHEN b.orders >= 2 THEN 1 ELSE 0 END), 0) AS repeat_buyers
  FROM periods p
  LEFT JOIN buyers b ON b.period = p.period
  GROUP BY p.period
)
SELECT period, buyers, repeat_buyers,
  CASE WHEN buyers > 0
    THEN CAST(repeat_buyers AS DOUBLE) / CAST(buyers AS DOUBLE) END AS repeat_purchase_rate
FROM sums
ORDER BY period

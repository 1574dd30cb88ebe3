-- Purchase frequency
-- The number of orders for each member who bought in the period. An order is taken off on the day on which
--   it comes back as a whole. Accounts of households are not counted. Empty if nobody bought.
-- Unit: orders for each buyer.
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
  SELECT p.period, count(b.member) AS buyers, coalesce(sum(b.orders), 0) AS orders
  FROM periods p
  LEFT JOIN buyers b ON b.period = p.period
  GROUP BY p.period
)
SELECT period, buyers, orders,
  CASE WHEN buyers > 0
    THEN CAST(orders AS DOUBLE) / CAST(buyers AS DOUBLE) END AS purchase_frequency
FROM sums
ORDER BY period

-- Orders
-- The purchases of the period, less those that came back as a whole in it. An order counts on the day of the
--   purchase, even if it is reported later, and is taken off on the day of its return, so a period may be
--   below zero.
-- Unit: orders.
-- Source: common in retail.
WITH days AS (
  SELECT day_number, sum(orders) AS orders FROM entries GROUP BY day_number
)
SELECT p.period, coalesce(sum(d.orders), 0) AS orders
FROM periods p
LEFT JOIN days d ON d.day_number BETWEEN p.first_number AND p.last_number
GROUP BY p.period
ORDER BY period

-- Average order value
-- Revenue divided by orders, both less what came back in the period. Empty if no order is left.
-- Unit: money for each order.
-- Source: common in retail.
WITH days AS (
  SELECT day_number, sum(orders) AS orders, sum(revenue) AS revenue FROM entries GROUP BY day_number
),
sums AS (
  SELECT p.period, coalesce(sum(d.orders), 0) AS orders, coalesce(sum(d.revenue), 0) AS revenue
  FROM periods p
  LEFT JOIN days d ON d.day_number BETWEEN p.first_number AND p.last_number
  GROUP BY p.period
)
SELECT period, orders, revenue,
  CASE WHEN orders > 0
    THEN CAST(revenue AS DOUBLE) / CAST(orders AS DOUBLE) END AS average_order_amount
FROM sums
ORDER BY period

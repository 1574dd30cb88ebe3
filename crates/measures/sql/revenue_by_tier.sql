-- Revenue by tier
-- The orders and the revenue of the period by the tier of the member after the purchase or return. An empty
--   text is no tier. The sum over all tiers is that of `revenue`. The share is empty if that is not above
--   zero.
-- Unit: money.
-- Source: ours.
WITH revenue_days AS (
  SELECT day_number, sum(revenue) AS revenue FROM entries GROUP BY day_number
),
revenues AS (
  SELECT p.period, coalesce(sum(d.revenue), 0) AS revenue
  FROM periods p
  LEFT JOIN revenue_days d ON d.day_number BETWEEN p.first_number AND p.last_number
  GROUP BY p.period
),
days AS (
  SELECT day_number, coalesce(tier, '') AS tier, sum(orders) AS orders, sum(revenue) AS revenue
  FROM entries
  WHERE orders <> 0 OR revenue <> 0
  GROUP BY day_number, coalesce(tier, '')
),
sums AS (
  SELECT p.period, d.tier, sum(d.orders) AS orders, sum(d.revenue) AS revenue
  FROM periods p
  JOIN days d ON d.day_number BETWEEN p.first_number AND p.last_number
  GROUP BY p.period, d.tier
)
SELECT s.period, s.tier, s.orders,
  CASE WHEN r.revenue > 0 THEN CAST(s.revenue AS DOUBLE) / CAST(r.revenue AS DOUBLE) END AS revenue_share,
  s.revenue
FROM sums s
JOIN revenues r ON r.period = s.period
ORDER BY period, tier

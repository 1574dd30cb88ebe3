-- Cost of points
-- The worth of the units that rules gave in the period, less what they took back, as a share of the revenue
--   of the period, by wallet. Wallets whose units have no worth are left out. Units count on the day of the
--   decision, revenue on the day of the purchase. Empty without revenue.
-- Unit: share of revenue, from 0 to 1.
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
  SELECT wallet, day_number, sum(units) AS units, sum(worth) AS worth
  FROM effects
  WHERE effect IN ('units', 'reclaim')
  GROUP BY wallet, day_number
),
grid AS (
  SELECT p.period, p.first_number, p.last_number, w.wallet
  FROM periods p CROSS JOIN (SELECT DISTINCT wallet FROM days WHERE worth IS NOT NULL) w
),
sums AS (
  SELECT g.period, g.wallet, coalesce(sum(d.units), 0) AS units, coalesce(sum(d.worth), 0) AS worth
  FROM grid g
  LEFT JOIN days d ON d.wallet = g.wallet AND d.day_number BETWEEN g.first_number AND g.last_number
  GROUP BY g.period, g.wallet
)
SELECT s.period, s.wallet, s.units, s.worth, r.revenue,
  CASE WHEN r.revenue > 0 THEN CAST(s.worth AS DOUBLE) / CAST(r.revenue AS DOUBLE) END AS cost_share
FROM sums s
JOIN revenues r ON r.period = s.period
ORDER BY period, wallet

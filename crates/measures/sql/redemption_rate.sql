-- Redemption rate
-- The units redeemed in the period, divided by the units issued in it, by wallet. Units that were issued
--   earlier can be redeemed, so a period may be above 1. Reversals are not taken off, as in the columns of
--   `units`. Empty if nothing was issued.
-- Unit: units redeemed for each unit issued.
-- Source: common in loyalty reporting.
WITH days AS (
  SELECT wallet, day_number,
    sum(CASE WHEN why = 'issued' THEN units ELSE 0 END) AS issued,
    -sum(CASE WHEN why = 'spent' THEN units ELSE 0 END) AS redeemed
  FROM movements
  WHERE NOT shared
  GROUP BY wallet, day_number
),
grid AS (
  SELECT p.period, p.first_number, p.last_number, w.wallet
  FROM periods p CROSS JOIN (SELECT DISTINCT wallet FROM days) w
),
sums AS (
  SELECT g.period, g.wallet, coalesce(sum(d.issued), 0) AS issued, coalesce(sum(d.redeemed), 0) AS redeemed
  FROM grid g
  LEFT JOIN days d ON d.wallet = g.wallet AND d.day_number BETWEEN g.first_number AND g.last_number
  GROUP BY g.period, g.wallet
)
SELECT period, wallet, issued, redeemed,
  CASE WHEN issued > 0
    THEN CAST(redeemed AS DOUBLE) / CAST(issued AS DOUBLE) END AS redemption_rate
FROM sums
ORDER BY period, wallet

-- Breakage rate
-- The share of expired units among those that left a wallet in the period by redemption or expiry. Reversals
--   are not taken off, and expiry counts on the day of the expiry run. Empty if no units left. This is what
--   happened; what will become of the units owed is a forecast (`regulars liability`).
-- Unit: share of units, from 0 to 1.
-- Source: ours; breakage as in IFRS 15.B44-B47.
WITH days AS (
  SELECT wallet, day_number,
    -sum(CASE WHEN why = 'spent' THEN units ELSE 0 END) AS redeemed,
    -sum(CASE WHEN why = 'expired' THEN units ELSE 0 END) AS expired
  FROM movements
  WHERE NOT shared
  GROUP BY wallet, day_number
),
grid AS (
  SELECT p.period, p.first_number, p.last_number, w.wallet
  FROM periods p CROSS JOIN (SELECT DISTINCT wallet FROM days) w
),
sums AS (
  SELECT g.period, g.wallet, coalesce(sum(d.redeemed), 0) AS redeemed, coalesce(sum(d.expired), 0) AS expired
  FROM grid g
  LEFT JOIN days d ON d.wallet = g.wallet AND d.day_number BETWEEN g.first_number AND g.last_number
  GROUP BY g.period, g.wallet
)
SELECT period, wallet, redeemed, expired,
  CASE WHEN redeemed + expired > 0
    THEN CAST(expired AS DOUBLE) / CAST(redeemed + expired AS DOUBLE) END AS breakage_rate
FROM sums
ORDER BY period, wallet

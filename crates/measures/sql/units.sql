-- Units
-- The roll-forward of each wallet: opening balance, changes by reason, closing balance. A balance is the
--   lots less the debts of members; what went out is below zero. Movements count on the day on which they
--   were recorded, so units whose end has come stay in the balance until the expiry run.
-- Unit: units.
-- Source: the roll-forward of contract liabilities, as IFRS 15.116-118 ask for it in money.
WITH days AS (
  SELECT wallet, day_number, sum(units) AS change,
    sum(CASE WHEN why = 'issued' THEN units ELSE 0 END) AS issued,
    sum(CASE WHEN why = 'spent' THEN units ELSE 0 END) AS redeemed,
    sum(CASE WHEN why = 'expired' THEN units ELSE 0 END) AS expired,
    sum(CASE WHEN why IN ('reclaimed', 'restored', 'derived_again') THEN units ELSE 0 END) AS reversed,
    sum(CASE WHEN why = 'adjusted' THEN units ELSE 0 END) AS adjusted,
    sum(CASE WHEN why = 'transferred' THEN units ELSE 0 END) AS transferred
  FROM movements
  WHERE NOT shared
  GROUP BY wallet, day_number
),
grid AS (
  SELECT p.period, p.first_number, p.last_number, w.wallet
  FROM periods p CROSS JOIN (SELECT DISTINCT wallet FROM days) w
)
SELECT g.period, g.wallet,
  coalesce(sum(CASE WHEN d.day_number < g.first_number THEN d.change END), 0) AS opening,
  coalesce(sum(CASE WHEN d.day_number >= g.first_number THEN d.issued END), 0) AS issued,
  coalesce(sum(CASE WHEN d.day_number >= g.first_number THEN d.redeemed END), 0) AS redeemed,
  coalesce(sum(CASE WHEN d.day_number >= g.first_number THEN d.expired END), 0) AS expired,
  coalesce(sum(CASE WHEN d.day_number >= g.first_number THEN d.reversed END), 0) AS reversed,
  coalesce(sum(CASE WHEN d.day_number >= g.first_number THEN d.adjusted END), 0) AS adjusted,
  coalesce(sum(CASE WHEN d.day_number >= g.first_number THEN d.transferred END), 0) AS transferred,
  coalesce(sum(d.change), 0) AS closing
FROM grid g
LEFT JOIN days d ON d.wallet = g.wallet AND d.day_number <= g.last_number
GROUP BY g.period, g.wallet
ORDER BY period, wallet

-- Forecast of expiry
-- The units in lots at the end of the period, by the month in which the lots end, if none of them are
--   redeemed or extended; `never` for lots without an end. Lots whose end has come stay in their month until
--   the expiry run. Debts of members are not taken off. `worth` leaves out units without a worth, and is
--   empty if all are.
-- Unit: units.
-- Source: ours.
WITH changes AS (
  SELECT wallet, day_number, units, units * worth AS worth,
    CASE WHEN expires_day IS NULL THEN 'never'
      ELSE substr(CAST(expires_day AS VARCHAR(10)), 1, 7) END AS month_of_end
  FROM lots
),
days AS (
  SELECT wallet, month_of_end, day_number, sum(units) AS units, sum(worth) AS worth
  FROM changes
  GROUP BY wallet, month_of_end, day_number
)
SELECT p.period, d.wallet, d.month_of_end, sum(d.worth) AS worth, sum(d.units) AS units
FROM periods p
JOIN days d ON d.day_number <= p.last_number
GROUP BY p.period, d.wallet, d.month_of_end
HAVING sum(d.units) <> 0
ORDER BY period, wallet, month_of_end

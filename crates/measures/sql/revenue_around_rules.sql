-- Revenue around a change of rules
-- For each set of rules that came into force in the period, the orders and the revenue in the 28 days before
--   the day of the first entry that it decided, and in the 28 days from that day on. Empty where the history
--   does not reach over all 28 days. It is no proof of an effect: seasons are not taken out.
-- Unit: money, after less before.
-- Source: ours.
WITH bounds AS (
  SELECT min(day_number) AS first_number, max(day_number) AS last_number FROM entries
),
places AS (
  SELECT e.rules, e.day, e.day_number,
    row_number() OVER (PARTITION BY e.rules ORDER BY e.at, e.day_number, e.member, e.entry) AS place
  FROM entries e
  WHERE e.rules <> ''
),
days AS (
  SELECT day_number, sum(orders) AS orders, sum(revenue) AS revenue FROM entries GROUP BY day_number
),
sums AS (
  SELECT s.rules, s.day, s.day_number,
    coalesce(sum(CASE WHEN d.day_number < s.day_number THEN d.orders END), 0) AS orders_before,
    coalesce(sum(CASE WHEN d.day_number >= s.day_number THEN d.orders END), 0) AS orders_after,
    coalesce(sum(CASE WHEN d.day_number < s.day_number THEN d.revenue END), 0) AS before_amount,
    coalesce(sum(CASE WHEN d.day_number >= s.day_number THEN d.revenue END), 0) AS after_amount
  FROM places s
  LEFT JOIN days d ON d.day_number BETWEEN s.day_number - 28 AND s.day_number + 27
  WHERE s.place = 1
  GROUP BY s.rules, s.day, s.day_number
),
known AS (
  SELECT s.rules, s.day, s.day_number,
    CASE WHEN b.first_number <= s.day_number - 28 THEN s.orders_before END AS orders_before,
    CASE WHEN b.last_number >= s.day_number + 27 THEN s.orders_after END AS orders_after,
    CASE WHEN b.first_number <= s.day_number - 28 THEN s.before_amount END AS before_amount,
    CASE WHEN b.last_number >= s.day_number + 27 THEN s.after_amount END AS after_amount
  FROM sums s
  CROSS JOIN bounds b
)
SELECT p.period, k.rules, k.day AS first_day, k.orders_before, k.orders_after,
  k.before_amount, k.after_amount, k.after_amount - k.before_amount AS difference_amount
FROM periods p
JOIN known k ON k.day_number BETWEEN p.first_number AND p.last_number
ORDER BY period, first_day, rules

-- Revenue around the first reward
-- The revenue of members who took their first reward in the period, in the 90 days before it and in the 90
--   days from it on. Compared are those who had enrolled at least 90 days before and whose 90 days after are
--   complete when the history ends; the amounts are empty if there are none. It is no proof of an effect: a
--   reward is often taken with a purchase, which counts as after. Accounts of households are not counted.
-- Unit: money, after less before.
-- Source: ours.
WITH persons AS (
  SELECT m.member, m.day_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
),
first_rewards AS (
  SELECT e.member, m.day_number AS enrolled_number, min(e.day_number) AS reward_number
  FROM entries e
  JOIN persons m ON m.member = e.member
  WHERE e.verb IN ('redeem', 'capture')
  GROUP BY e.member, m.day_number
),
bounds AS (
  SELECT max(day_number) AS last_number FROM entries
),
complete AS (
  SELECT f.member, f.reward_number
  FROM first_rewards f
  CROSS JOIN bounds b
  WHERE f.enrolled_number <= f.reward_number - 90 AND f.reward_number + 89 <= b.last_number
),
amounts AS (
  SELECT c.member,
    sum(CASE WHEN e.day_number < c.reward_number THEN e.revenue ELSE 0 END) AS before_amount,
    sum(CASE WHEN e.day_number >= c.reward_number THEN e.revenue ELSE 0 END) AS after_amount
  FROM complete c
  JOIN entries e ON e.member = c.member AND e.day_number BETWEEN c.reward_number - 90 AND c.reward_number + 89
  GROUP BY c.member
)
SELECT p.period, count(f.member) AS members, count(a.member) AS compared,
  sum(a.before_amount) AS before_amount, sum(a.after_amount) AS after_amount,
  sum(a.after_amount) - sum(a.before_amount) AS difference_amount
FROM periods p
LEFT JOIN first_rewards f ON f.reward_number BETWEEN p.first_number AND p.last_number
LEFT JOIN amounts a ON a.member = f.member
GROUP BY p.period
ORDER BY period

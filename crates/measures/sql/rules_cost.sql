-- Cost of rules
-- What each rule gave in the period, less what it took back: how often it gave, to how many persons, the
--   units of each wallet and their worth. `wallet` is empty for effects other than units, such as vouchers.
--   Effects count on the day of the decision. The share is empty without worth or revenue. Accounts of
--   households are not counted.
-- Unit: share of revenue, from 0 to 1.
-- Source: ours.
WITH persons AS (
  SELECT m.member, m.day_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
),
revenue_days AS (
  SELECT day_number, sum(revenue) AS revenue FROM entries GROUP BY day_number
),
revenues AS (
  SELECT p.period, coalesce(sum(d.revenue), 0) AS revenue
  FROM periods p
  LEFT JOIN revenue_days d ON d.day_number BETWEEN p.first_number AND p.last_number
  GROUP BY p.period
),
gifts AS (
  SELECT e.rule, coalesce(e.wallet, '') AS wallet, e.day_number, m.member, e.worth,
    CASE WHEN e.wallet IS NULL THEN 0 ELSE e.units END AS units,
    CASE WHEN e.effect IN ('reclaim', 'revoke', 'untag', 'void', 'unscore') THEN 0 ELSE 1 END AS given
  FROM effects e
  LEFT JOIN persons m ON m.member = e.member
),
sums AS (
  SELECT p.period, g.rule, g.wallet, sum(g.given) AS times,
    count(DISTINCT CASE WHEN g.given = 1 THEN g.member END) AS members, sum(g.units) AS units,
    sum(g.worth) AS worth
  FROM periods p
  JOIN gifts g ON g.day_number BETWEEN p.first_number AND p.last_number
  GROUP BY p.period, g.rule, g.wallet
)
SELECT s.period, s.rule, s.wallet, s.times, s.members, s.units, s.worth,
  CASE WHEN r.revenue > 0 THEN CAST(s.worth AS DOUBLE) / CAST(r.revenue AS DOUBLE) END AS cost_share
FROM sums s
JOIN revenues r ON r.period = s.period
ORDER BY period, rule, wallet

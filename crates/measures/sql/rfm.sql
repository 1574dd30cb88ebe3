-- Recency, frequency and revenue
-- Every person who had bought by the end of the period, scored from 1 to 5 by the day of the last purchase,
--   by orders and by revenue: fifths of all buyers, 5 is best. Orders that came back as a whole do not count.
--   Ties are put in order by name, so equal buyers may have different scores. Accounts of households are not
--   counted.
--   Segments are by recency (R) and the mean of the two other scores, rounded up (V):
--   R 5, V 4-5: champions. R 3-4, V 4-5: loyal. R 4-5, V 2-3: potential loyal. R 5, V 1: new.
--   R 4, V 1: promising. R 3, V 3: need attention. R 3, V 1-2: about to sleep. R 1-2, V 5: cannot lose.
--   R 1-2, V 3-4: at risk. R 1-2, V 1-2: hibernating.
-- Unit: money that the buyers of the segment have spent up to then.
-- Source: quintiles as in A. M. Hughes, Strategic Database Marketing; segments as commonly used, here with
--   revenue beside frequency.
WITH persons AS (
  SELECT m.member, m.day_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
),
days AS (
  SELECT e.member, e.day_number, sum(e.orders) AS orders, sum(e.revenue) AS revenue,
    max(CASE WHEN e.verb = 'earn' AND e.orders > 0 THEN e.day_number END) AS bought_number
  FROM entries e
  JOIN persons m ON m.member = e.member
  WHERE e.orders <> 0 OR e.revenue <> 0
  GROUP BY e.member, e.day_number
),
buyers AS (
  SELECT p.period, d.member, max(d.bought_number) AS bought_number, sum(d.orders) AS orders,
    sum(d.revenue) AS revenue
  FROM periods p
  JOIN days d ON d.day_number <= p.last_number
  GROUP BY p.period, d.member
  HAVING sum(d.orders) >= 1
),
scores AS (
  SELECT period, revenue,
    ntile(5) OVER (PARTITION BY period ORDER BY bought_number, member) AS r,
    ntile(5) OVER (PARTITION BY period ORDER BY orders, member) AS f,
    ntile(5) OVER (PARTITION BY period ORDER BY revenue, member) AS m
  FROM buyers
),
segments AS (
  SELECT period, revenue,
    CASE
      WHEN r = 5 AND f + m >= 7 THEN 'champions'
      WHEN r >= 3 AND f + m >= 7 THEN 'loyal'
      WHEN r >= 4 AND f + m >= 3 THEN 'potential loyal'
      WHEN r = 5 THEN 'new'
      WHEN r = 4 THEN 'promising'
      WHEN r = 3 AND f + m >= 5 THEN 'need attention'
      WHEN r = 3 THEN 'about to sleep'
      WHEN f + m >= 9 THEN 'cannot lose'
      WHEN f + m >= 5 THEN 'at risk'
      ELSE 'hibernating'
    END AS segment
  FROM scores
)
SELECT period, segment, count(*) AS buyers, sum(revenue) AS revenue
FROM segments
GROUP BY period, segment
ORDER BY period, segment

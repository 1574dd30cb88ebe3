-- Rewards taken
-- How often each reward was taken in the period, by how many persons, the units spent on it, and the share
--   of those who bought in the period that took it. A reward counts even if it was given back later. Units
--   that a person spends from the wallets of a household count. The share is empty if nobody bought.
-- Unit: share of buyers, from 0 to 1.
-- Source: ours.
WITH persons AS (
  SELECT m.member, m.day_number
  FROM members m
  WHERE NOT EXISTS (SELECT 1 FROM entries e WHERE e.member = m.member AND e.verb = 'share')
),
days AS (
  SELECT e.member, e.day_number, sum(e.orders) AS orders
  FROM entries e
  JOIN persons m ON m.member = e.member
  WHERE e.orders <> 0
  GROUP BY e.member, e.day_number
),
buyers AS (
  SELECT p.period, d.member, sum(d.orders) AS orders
  FROM periods p
  JOIN days d ON d.day_number BETWEEN p.first_number AND p.last_number
  GROUP BY p.period, d.member
  HAVING sum(d.orders) >= 1
),
buyer_sums AS (
  SELECT period, count(*) AS buyers FROM buyers GROUP BY period
),
-- The one place where shared movements are read: they stand in the entry of the person who took the reward.
spent AS (
  SELECT member, entry, -sum(units) AS units
  FROM movements
  WHERE why = 'spent'
  GROUP BY member, entry
),
taken AS (
  SELECT p.period, coalesce(e.reward, '') AS reward, m.member, coalesce(s.units, 0) AS units
  FROM periods p
  JOIN entries e ON e.day_number BETWEEN p.first_number AND p.last_number
  LEFT JOIN persons m ON m.member = e.member
  LEFT JOIN spent s ON s.member = e.member AND s.entry = e.entry
  WHERE e.verb IN ('redeem', 'capture')
),
sums AS (
  SELECT t.period, t.reward, count(*) AS times, count(DISTINCT t.member) AS members, sum(t.units) AS units,
    count(DISTINCT b.member) AS buyers
  FROM taken t
  LEFT JOIN buyers b ON b.period = t.period AND b.member = t.member
  GROUP BY t.period, t.reward
)
SELECT s.period, s.reward, s.times, s.members, s.units,
  CASE WHEN b.buyers > 0 THEN CAST(s.buyers AS DOUBLE) / CAST(b.buyers AS DOUBLE) END AS buyer_share
FROM sums s
LEFT JOIN buyer_sums b ON b.period = s.period
ORDER BY period, reward

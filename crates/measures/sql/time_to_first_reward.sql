-- Time to the first reward
-- The median of the days from enrolment to the first reward, of the members who took their first reward in
--   the period, and how many they are. Members without a reward are not in it, so a young programme looks
--   fast. A reward counts even if it was given back later. Accounts of households are not counted. Empty if
--   nobody took a first reward.
-- Unit: days.
-- Source: common in loyalty reporting.
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
waits AS (
  SELECT p.period, f.member, f.reward_number - f.enrolled_number AS days
  FROM periods p
  JOIN first_rewards f ON f.reward_number BETWEEN p.first_number AND p.last_number
),
places AS (
  SELECT period, days,
    CAST(row_number() OVER (PARTITION BY period ORDER BY days, member) AS BIGINT) AS place,
    count(*) OVER (PARTITION BY period) AS members
  FROM waits
),
medians AS (
  SELECT period, members, CAST(sum(days) AS DOUBLE) / CAST(count(*) AS DOUBLE) AS median_days
  FROM places
  WHERE 2 * place BETWEEN members AND members + 2
  GROUP BY period, members
)
SELECT p.period, coalesce(m.members, 0) AS members, m.median_days
FROM periods p
LEFT JOIN medians m ON m.period = p.period
ORDER BY period

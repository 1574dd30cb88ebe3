-- Revenue
-- What members paid in the period without tax and tips, less what they got back in it. A purchase counts on
--   its day, even if it is reported later, and a return on the day of the return, so a period may be below
--   zero.
-- Unit: money.
-- Source: common in retail: net sales.
WITH days AS (
  SELECT day_number, sum(revenue) AS revenue FROM entries GROUP BY day_number
)
SELECT p.period, coalesce(sum(d.revenue), 0) AS revenue
FROM periods p
LEFT JOIN days d ON d.day_number BETWEEN p.first_number AND p.last_number
GROUP BY p.period
ORDER BY period

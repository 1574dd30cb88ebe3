"""Runs the SQL of every measure, unchanged, on Spark, and compares the rows with those of `regulars measure`.

    regulars measure HISTORY --by month --json > results.json
    python tests/spark.py HISTORY results.json

Needs Java 17 and `pip install pyspark==4.3.0`. Text, dates, whole numbers and decimals must be equal, and
doubles too, to the last bit: each is one division of sums that are exact. Above 9,007,199,254 of the currency
(2^53 millionths) the engines round the conversion of a sum to a double differently, in its last bit.
"""

import json
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path

from pyspark.sql import SparkSession

SQL = Path(__file__).resolve().parent.parent / "crates/measures/sql"
TABLES = ("members", "entries", "effects", "movements", "lots")
PERIODS = "period string, first_day date, last_day date, first_number int, last_number int"


def session():
    settings = {
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": 4,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.log.level": "ERROR",
    }
    return SparkSession.builder.master("local[*]").config(map=settings).getOrCreate()


def register(spark, history, periods):
    """Makes the tables of the history and its periods known to SQL."""
    files = json.loads((history / "history.json").read_text())["files"]
    for table in TABLES:
        paths = [str(history / path) for path in files if path.startswith(f"{table}/")]
        if not paths:
            sys.exit(f"the history has no rows of `{table}`")
        spark.read.parquet(*paths).createOrReplaceTempView(table)
    epoch = date(1970, 1, 1)
    rows = []
    for period in periods:
        days = [date.fromisoformat(period[day]) for day in ("first_day", "last_day")]
        rows.append((period["period"], *days, *((day - epoch).days for day in days)))
    spark.createDataFrame(rows, PERIODS).createOrReplaceTempView("periods")


def comparable(value):
    """A value of Spark as the JSON has it. Decimals stay, to be compared by value."""
    return value.isoformat() if isinstance(value, date) else value


def equal(ours, theirs):
    if isinstance(theirs, Decimal):
        return isinstance(ours, str) and Decimal(ours) == theirs
    return type(ours) is type(theirs) and ours == theirs


def difference(measure, columns, rows):
    """What is different first, or nothing."""
    if measure["columns"] != columns:
        return f"columns {measure['columns']}\n   but {columns} on Spark"
    for number in range(max(len(rows), len(measure["rows"]))):
        ours = measure["rows"][number] if number < len(measure["rows"]) else None
        theirs = [comparable(value) for value in rows[number]] if number < len(rows) else None
        if ours is None or theirs is None or not all(map(equal, ours, theirs)):
            return f"row {number + 1}: {ours}\n   but {theirs} on Spark"
    return None


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    history, results = Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text())
    measures = {measure["name"]: measure for measure in results["measures"]}
    files = {path.stem: path for path in sorted(SQL.glob("*.sql"))}
    if only := sorted(measures.keys() ^ files.keys()):
        sys.exit(f"only in the results or only in {SQL}: {', '.join(only)}")
    spark = session()
    register(spark, history, results["periods"])
    for name, path in files.items():
        frame = spark.sql(path.read_text())
        rows = frame.collect()
        if found := difference(measures[name], frame.columns, rows):
            sys.exit(f"differs  {name}  {found}")
        print(f"ok  {name}  {len(rows)} rows", flush=True)


main()

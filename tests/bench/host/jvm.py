# SPDX-License-Identifier: Apache-2.0
"""Records to documents and counts by Spark's own functions, in the JVM, as its guide advises; for Spark 3.5 and 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

from documents import Key
from job import Job

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame

FIELDS = ("event_id", "user_id", "timestamp", "browser", "country", "source_ip", "user_agent", "outcome", "reason")
SCHEMA = ", ".join(f"{name} STRING" for name in FIELDS)


def parsed(source: DataFrame) -> DataFrame:
    """Return the fields of the records with partition and offset."""
    from pyspark.sql import functions as f

    told = f.from_json(f.col("value").cast("string"), SCHEMA).alias("told")
    return source.select("partition", "offset", told).select("partition", "offset", "told.*")


def documents(told: DataFrame, job: Job, late: bool = True) -> DataFrame:
    """Return the columns of the documents of parsed records, as documents.as_document makes them."""
    from pyspark.sql import functions as f

    def named(**columns: Column) -> Column:
        return f.struct(*[column.alias(name) for name, column in columns.items()])

    place = named(
        topic=f.lit(job.kafka.topic),
        topic_id=f.lit(job.topic_id),
        partition=f.col("partition"),
        offset=f.col("offset"),
    )
    event = named(
        id=f.col("event_id"),
        ingested=f.date_format(f.current_timestamp(), "yyyy-MM-dd'T'HH:mm:ss.SSS'Z'"),
        kind=f.lit("event"),
        category=f.array(f.lit("authentication")),
        type=f.array(f.lit("start")),
        outcome=f.col("outcome"),
        reason=f.col("reason"),
    )
    return told.select(
        f.col("timestamp").alias("@timestamp"),
        event.alias("event"),
        named(id=f.col("user_id")).alias("user"),
        named(address=f.col("source_ip"), ip=f.col("source_ip"), geo=named(country_iso_code=f.col("country"))).alias(
            "source"
        ),
        named(name=f.col("browser"), original=f.col("user_agent")).alias("user_agent"),
        (named(late=f.lit(True), kafka=place) if late else named(kafka=place)).alias("login"),
        named(version=f.lit("8.17.0")).alias("ecs"),
    )


def bulk_lines(found: DataFrame, index: str) -> DataFrame:
    """Return documents as the lines of bulk requests, in the binary column `line`."""
    from pyspark.sql import functions as f

    action = f.concat(f.lit(f'{{"index":{{"_index":"{index}","_id":"'), f.col("event.id"), f.lit('"}}\n'))
    return found.select(f.concat(action, f.to_json(f.struct("*")), f.lit("\n")).cast("binary").alias("line"))


def counts(told: DataFrame, watermark: str = "") -> DataFrame:
    """Return the counts of parsed records by minute and key: the columns of documents.Key, and `count`."""
    from pyspark.sql import functions as f

    frame = told.withColumn("moment", f.to_timestamp("timestamp"))
    frame = frame.withWatermark("moment", watermark) if watermark else frame
    counted = frame.groupBy(f.window("moment", "1 minute"), "country", "browser", "outcome").count()
    return counted.select(f.unix_millis("window.start").alias("start"), "country", "browser", "outcome", "count")


def collected(counted: DataFrame) -> dict[Key, int]:
    """Return counts as the driver gets them."""
    return {Key(row.start, row.country, row.browser, row.outcome): row["count"] for row in counted.collect()}

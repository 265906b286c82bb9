"""A simulated host, Kafka, Spark and Elasticsearch around the real consumer: "exactly once" at each crash point.

`world` runs the consumer's own modules; `elastic` stands for the cluster, `spark` for Spark, `commands` for a person;
`truth` says what has to hold, and knows nothing of how the consumer works; `steps` makes random histories from a seed,
`player` plays them, `schedules` judges them and makes them smaller; `guards` switches off what the protocol needs, and
`controls` tells what breaks without it.
"""

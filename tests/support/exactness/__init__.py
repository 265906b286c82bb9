"""A simulated host, Kafka, Spark and Elasticsearch around the real consumer: "exactly once" at each crash point.

`world` runs the consumer's own modules; `elastic` stands for the cluster; `truth` says what has to hold, and knows
nothing of how the consumer works; `schedules` makes random histories from a seed, runs them and makes them smaller.
"""

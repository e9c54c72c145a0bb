"""Columns of Arrow types, as in Parquet files and BigQuery: their kinds, and their values for a tf.Example."""

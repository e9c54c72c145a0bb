"""Turn tables into TFRecords, statistics, a schema and an ML Metadata record, in one Apache Beam graph."""

__version__ = "0.1.0"

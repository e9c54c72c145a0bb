"""BigQuery: tables and the rows of queries, read through the Storage Read API."""

"""What is remembered of documents and schools, kept in Feast: online in SQLite or Redis, offline in Parquet."""

"""Many dumps: a manifest in, a row an input out, into Parquet by Spark or JSON lines by any scheduler."""

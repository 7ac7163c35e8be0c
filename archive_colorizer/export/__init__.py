"""Write the manifest in other forms: JSON, CSV, Parquet, PREMIS, BagIt."""

"""HF datasets of a JSON Lines, CSV or Parquet file: the column types, and the rows."""

import json
import sys

from datasets import load_dataset

kind, path, cache = sys.argv[1:]
dataset = load_dataset(kind, data_files=path, cache_dir=cache, split="train")
sys.stdout.write(json.dumps({"columns": dataset.column_names, "rows": list(dataset)}))

"""What the viewer tells about a data set besides its rows: ``/splits``, ``/size``, ``/info``, ``/is-valid``."""

from dataclasses import dataclass
from typing import Any, Final

from tests.standin.features import Features, in_info_form

# About what a row of LMSYS-Chat-1M takes in memory and as Parquet.
_MEMORY: Final = 2626
_PARQUET: Final = 1489


@dataclass(frozen=True)
class Description:
    """One data set of one config and one split; ``config`` in a call is the level asked for, None for the whole data set."""

    dataset: str
    config: str
    split: str
    features: Features
    total: int
    partial: bool

    def splits(self, config: str | None) -> dict[str, Any]:
        found: dict[str, Any] = {"splits": [{"dataset": self.dataset, "config": self.config, "split": self.split}]}
        return found if config else {**found, "pending": [], "failed": []}

    def size(self, config: str | None) -> dict[str, Any]:
        sizes = {
            "num_bytes_parquet_files": self.total * _PARQUET,
            "num_bytes_memory": self.total * _MEMORY,
            "num_rows": self.total,
            "estimated_num_rows": None,
        }
        original = {"num_bytes_original_files": self.total * _PARQUET}
        names = {"dataset": self.dataset, "config": self.config}
        of_config = {**names, **original, **sizes, "num_columns": len(self.features)}
        of_split = {**names, "split": self.split, **sizes, "num_columns": len(self.features)}
        if config:
            return {"size": {"config": of_config, "splits": [of_split]}, "partial": self.partial}
        of_dataset = {"dataset": self.dataset, **original, **sizes}
        size = {"dataset": of_dataset, "configs": [of_config], "splits": [of_split]}
        return {"size": size, "pending": [], "failed": [], "partial": self.partial}

    def info(self, config: str | None) -> dict[str, Any]:
        name = self.dataset.rpartition("/")[2]
        split = {
            "name": self.split,
            "num_bytes": self.total * _MEMORY,
            "num_examples": self.total,
            "dataset_name": name,
        }
        found = {
            "description": "",
            "citation": "",
            "homepage": "",
            "license": "",
            "features": {column: in_info_form(feature) for column, feature in self.features.items()},
            "builder_name": "parquet",
            "dataset_name": name,
            "config_name": self.config,
            "version": {"version_str": "0.0.0", "major": 0, "minor": 0, "patch": 0},
            "splits": {self.split: split},
            "download_size": self.total * _PARQUET,
            "dataset_size": self.total * _MEMORY,
        }
        if config:
            return {"dataset_info": found, "partial": self.partial}
        return {"dataset_info": {self.config: found}, "pending": [], "failed": [], "partial": self.partial}

    def is_valid(self) -> dict[str, bool]:
        return dict.fromkeys(("preview", "viewer", "search", "filter", "statistics"), True)

"""Studies with markup in their files."""

import json
import shutil

import pandas as pd

MARKUP = '"><script>x</script>&'


def spoilt(folder, copy, **columns):
    """Copy a study with markup in columns of its tables, its record and configuration."""
    shutil.copytree(folder, copy)
    for name, spoilt_columns in columns.items():
        table = pd.read_csv(copy / f"{name}.csv", keep_default_na=False)
        for column in spoilt_columns:
            table[column] = table[column] + MARKUP
        table.to_csv(copy / f"{name}.csv", index=False)
    record = json.loads((copy / "record.json").read_text())
    record["command"] += MARKUP
    record["config_hash"] = f"{MARKUP:.12}"
    record["environment"]["numpy"] += MARKUP
    (copy / "record.json").write_text(json.dumps(record))
    with open(copy / "config.yaml", "a") as stream:
        stream.write(f"# {MARKUP}\n")
    return copy

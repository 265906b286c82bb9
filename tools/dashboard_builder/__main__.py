# SPDX-License-Identifier: Apache-2.0
"""Write the .ndjson files in kibana_exports anew from their YAML source; write none if one has a problem."""

import sys
from pathlib import Path

from dashboard_builder.lint import problems
from dashboard_builder.mappings import field_types
from dashboard_builder.saved_objects import exports, ndjson
from dashboard_builder.source import Source, SourceError

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "kibana_exports"


def main(folder: Path = FOLDER) -> int:
    """Build all files of `folder`. Return 1 if the source is wrong."""
    types = field_types(REPOSITORY)
    try:
        files = exports(Source.read(folder), types)
        found = problems([each for objects in files.values() for each in objects], types)
    except SourceError as error:
        found = [str(error)]
    if found:
        print("\n".join(found), file=sys.stderr)
        return 1
    for old in folder.glob("*.ndjson"):
        if old.stem not in files:
            old.unlink()
    for stem, objects in files.items():
        (folder / f"{stem}.ndjson").write_text(ndjson(objects))
        print(f"{folder.name}/{stem}.ndjson: {len(objects)} objects")
    return 0


if __name__ == "__main__":
    sys.exit(main())

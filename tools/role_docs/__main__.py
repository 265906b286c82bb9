# SPDX-License-Identifier: Apache-2.0
"""Write the README of each role anew from its meta/argument_specs.yml and defaults/main.yml."""

from pathlib import Path

from role_docs import readme

ROLES = Path(__file__).parents[2] / "roles"


def main(roles: Path = ROLES) -> None:
    """Write roles/*/README.md."""
    for specs in sorted(roles.glob("*/meta/argument_specs.yml")):
        folder = specs.parents[1]
        text = readme(folder)  # it keeps a part of the present file
        (folder / "README.md").write_text(text)
        print(f"{folder.relative_to(roles.parent)}/README.md")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Makes importable what the benchmarks share with the tests and with the packages."""

import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "build/bench"
"""Where results are written; not kept by git."""

_SHARED = ("tests/support", "tests/pipeline", "src/common/src", "src/formats/src", "src/producer/src", "src/report/src")
sys.path += [str(ROOT / path) for path in _SHARED]
# kafka-python reads its schemas that way, a hundred times.
warnings.filterwarnings("ignore", "(read|open)_text is deprecated", DeprecationWarning)

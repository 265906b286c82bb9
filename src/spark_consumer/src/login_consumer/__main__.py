# SPDX-License-Identifier: Apache-2.0
"""python -m login_consumer: the same as the command login-consumer."""

import sys

from login_consumer.cli import main

sys.exit(main())

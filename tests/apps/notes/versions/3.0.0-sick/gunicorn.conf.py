# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# This version starts, says so, and never answers.
import signal
import sys
import time

signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(0))
print("i am lost", flush=True)
while True:
    time.sleep(60)

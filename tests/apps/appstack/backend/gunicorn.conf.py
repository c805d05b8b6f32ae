# Copyright: the portside.stack contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# Loaded in the master: a missing variable ends the container instead of workers dying in a loop.
preload_app = True
# The default is on disk, where a slow write looks like a hanging worker.
worker_tmp_dir = "/dev/shm"
graceful_timeout = 5

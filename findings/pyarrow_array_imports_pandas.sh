#!/bin/sh
# pyarrow 26.0.1, pandas 3.1.1, Python 3.11: the first pa.array() imports pandas, whatever it is given.
#
# Wherever pandas is installed, the first pa.array() of a list, and even of a NumPy array, imports the whole of
# pandas, to see whether what it was given is of one of its types. That takes 0.1 to 0.4 seconds, once a process,
# in whichever thread makes the call, and looks like a slow first read of the data. Importing pyarrow and making
# an array of Arrow buffers do not do it.
#
# Seen:
#   after importing pyarrow: pandas imported: False
#   after an array of buffers: pandas imported: False
#   after pa.array of a NumPy array: pandas imported: True
set -eu
place=$(mktemp -d); trap 'rm -rf "$place"' EXIT
python3 -m venv "$place/venv"
"$place/venv/bin/pip" install --quiet --disable-pip-version-check "pyarrow==26.0.1" "pandas==3.1.1" "numpy==2.4.6"
"$place/venv/bin/python" - <<'PYTHON'
import sys

import numpy as np
import pyarrow as pa

seen = ["pandas" in sys.modules]
print("after importing pyarrow: pandas imported:", seen[-1])
values = np.arange(3)
pa.Array.from_buffers(pa.int64(), 3, [None, pa.py_buffer(values)])
seen.append("pandas" in sys.modules)
print("after an array of buffers: pandas imported:", seen[-1])
pa.array(values)
seen.append("pandas" in sys.modules)
print("after pa.array of a NumPy array: pandas imported:", seen[-1])
sys.exit(seen != [False, False, True])
PYTHON

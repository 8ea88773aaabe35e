"""POOL: where Arrow takes the memory of large arrays from, while a folder is scanned and text is parsed.

From the C library. Arrow's own allocator, which is the program's to choose, spends a fifth of a scan clearing
pages, and keeps megabytes for each thread that ever used it.
"""

import pyarrow as pa

POOL = pa.system_memory_pool()

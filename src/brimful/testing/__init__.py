"""Contract suites: what each implementation of a seam promises, as tests that it inherits.

To add an implementation, of a listener for example, subclass its suite in a test module, give it the
implementation, and run pytest:

    class TestMyListener(ListenerContract):
        def make_listener(self, folder):
            return MyListener(folder / "log.txt")

The suites need pytest. Nothing else in brimful imports this package.

codec      CodecContract: how the values of a field are kept
encoding   EncodingContract: how bytes become a value
faulty     FaultyStorage: a storage that fails when told to
format     FormatContract: a kind of raw data
listener   ListenerContract: what follows a training
loader     LoaderContract: where batches come from
reader     ReaderContract: random access to samples by row
storage    StorageContract: where the files of a store or a run lie
"""

import pytest

for suite in ("codec", "encoding", "format", "listener", "loader", "reader", "storage"):
    pytest.register_assert_rewrite(f"{__name__}.{suite}")

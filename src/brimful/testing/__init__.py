"""Contract suites: what each implementation of a seam promises, as tests that it inherits.

To add an implementation, of a listener for example, subclass its suite in a test module, give it the
implementation, and run pytest:

    class TestMyListener(ListenerContract):
        def make_listener(self, folder):
            return MyListener(folder / "log.txt")

The suites need pytest. Nothing else in brimful imports this package.

listener   ListenerContract: what follows a training
"""

import pytest

pytest.register_assert_rewrite("brimful.testing.listener")

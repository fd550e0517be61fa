import os
import signal
import subprocess
import sys
import time

import pytest

from momentarium_cli.cli.signals import Signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_the_first_signal_asks_to_stop(number: signal.Signals, code: int, capfd: pytest.CaptureFixture[str]) -> None:
    signals = Signals()
    before = signal.getsignal(number)
    with signals.handled():
        os.kill(os.getpid(), number)
        assert signals.stop.wait(5)
    assert signals.exit_code == code
    assert "Again to end at once" in capfd.readouterr().err
    assert signal.getsignal(number) is before


STUBBORN = """
import time
from momentarium_cli.cli.signals import Signals
with Signals().handled():
    print("ready", flush=True)
    while True:
        time.sleep(0.01)
"""


def test_the_second_signal_ends_at_once() -> None:
    with subprocess.Popen([sys.executable, "-c", STUBBORN], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        child.send_signal(signal.SIGINT)
        time.sleep(0.2)
        assert child.poll() is None
        child.send_signal(signal.SIGTERM)
        assert child.wait(5) == 143

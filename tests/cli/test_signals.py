import os
import signal
import subprocess
import sys
import time

import pytest

from momentarium_cli.cli.signals import Signals


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)])
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


CLOSED = """
import os, pty, signal, sys, time
pid, terminal = pty.fork()
if pid == 0:
    from momentarium_cli.cli.output import say
    from momentarium_cli.cli.signals import Signals
    signals = Signals()
    with signals.handled():
        say("ready")
        signals.stop.wait(20)
        for _ in range(3):
            say("nobody reads this")
    sys.exit(signals.exit_code)
while b"ready" not in os.read(terminal, 100):
    pass
os.close(terminal)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def test_a_terminal_that_is_closed_ends_it_cleanly() -> None:
    done = subprocess.run([sys.executable, "-c", CLOSED], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "129", done


def test_nohup_is_heeded(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Signals().handled():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)

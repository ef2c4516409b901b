"""When Python's garbage collector is off. In processes of their own: it is of the whole process."""

import subprocess
import sys

SPARED = """
import gc, weakref
from fakefacecli.base.garbage import collected_later, never_collected
class Ring:
    def __init__(self): self.own = self
with collected_later(spare=True):
    assert not gc.isenabled()
    with collected_later():
        pass
    assert not gc.isenabled(), "one is still inside"
    first = Ring()
assert gc.isenabled()
assert gc.get_freeze_count() > 1000
spared = gc.get_freeze_count()
with collected_later(spare=True):
    second = Ring()
assert gc.get_freeze_count() <= spared, "a second model was spared too"
gone = weakref.ref(second)
del second
gc.collect()
assert gone() is None
never_collected()
assert not gc.isenabled() and gc.get_freeze_count() > spared
gc.unfreeze()
gc.disable()
with collected_later():
    pass
assert not gc.isenabled(), "it was off before"
"""


def test_the_collector_is_off_while_a_process_starts_and_spares_what_came_first_alone() -> None:
    subprocess.run([sys.executable, "-c", SPARED], check=True, timeout=60)


def test_threads_that_want_it_off_at_the_same_time_leave_it_on() -> None:
    code = """
import gc, threading
from fakefacecli.base.garbage import collected_later
both = threading.Barrier(2)
def work():
    with collected_later():
        both.wait(10)
        assert not gc.isenabled()
        both.wait(10)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
for thread in threads: thread.join(20)
assert gc.isenabled()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)

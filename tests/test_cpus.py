import os
import subprocess
import sys
import threading

import pytest
from threadpoolctl import ThreadpoolController, threadpool_info, threadpool_limits

from ntkreg import cpus
from ntkreg.cpus import check_n_jobs, one_blas_thread
from ntkreg.errors import SpecError


def _blas():
    return [
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    ]


@pytest.fixture(autouse=True)
def two_threads():
    """Also where a machine has one CPU."""
    with threadpool_limits(2, user_api="blas"):
        yield


def test_callers_that_overlap_share_one_limit_and_the_last_puts_it_back():
    inside, leave, seen = threading.Event(), threading.Event(), []

    def first():
        with one_blas_thread():
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    with one_blas_thread():
        leave.set()
        thread.join()  # the first ends inside the second
        seen.append(_blas())
    assert set(seen[0]) == {1}
    assert set(_blas()) == {2}


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_lifts_the_limit(error):
    with pytest.raises(error), one_blas_thread(), one_blas_thread():
        raise error
    assert set(_blas()) == {2}


def test_a_limit_of_the_main_thread_does_not_keep_others_from_theirs():
    def inner():
        with one_blas_thread():
            found.append(set(_blas()))

    found: list = []
    with threadpool_limits(3, user_api="blas"):
        thread = threading.Thread(target=inner)
        thread.start()
        thread.join()
        assert found == [{1}]
        assert set(_blas()) == {3}
    assert set(_blas()) == {2}


def test_a_limit_that_ends_meanwhile_stays_ended():
    outer = threadpool_limits(1, user_api="blas")
    with one_blas_thread():
        outer.restore_original_limits()
        assert set(_blas()) == {2}
    assert set(_blas()) == {2}


def test_many_threads_come_and_go():
    def come_and_go():
        for _ in range(20):
            with one_blas_thread():
                found.append(set(_blas()))

    found: list = []
    threads = [threading.Thread(target=come_and_go) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{1}] * 160
    assert set(_blas()) == {2}


def test_all_libraries_are_held_from_the_first_import_on():
    code = """
import ntkreg.gram, ntkreg.solvers
from threadpoolctl import threadpool_info
before = {info["filepath"] for info in threadpool_info() if info["user_api"] == "blas"}
import scipy.linalg, sklearn.linear_model, ntkreg.estimators
after = {info["filepath"] for info in threadpool_info() if info["user_api"] == "blas"}
assert before == after, after - before
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_libraries_are_looked_for_again_only_after_an_import(monkeypatch):
    looked = []

    def look():
        looked.append(1)
        return ThreadpoolController()

    monkeypatch.setattr(cpus, "ThreadpoolController", look)
    monkeypatch.setattr(cpus._limit, "n_modules", 0)
    for name, count in ((None, 1), (None, 1), ("a_new_module", 2), (None, 3), (None, 3)):
        with monkeypatch.context() as imported:
            if name:
                imported.setitem(sys.modules, name, sys)
            with one_blas_thread():
                assert set(_blas()) == {1}
        assert len(looked) == count
    assert set(_blas()) == {2}


def test_none_is_this_process_s_share_and_minus_one_is_all(monkeypatch):
    for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ntkreg.cpus._usable_cpus", lambda: 8)
    assert check_n_jobs(None) == check_n_jobs(-1) == 8
    assert check_n_jobs(70) == 70
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert (check_n_jobs(None), check_n_jobs(-1), check_n_jobs(5)) == (3, 8, 5)
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    assert check_n_jobs(None) == 2
    monkeypatch.setenv("OMP_NUM_THREADS", "1,4")
    assert check_n_jobs(None) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "100")
    assert check_n_jobs(None) == 2


def test_threads_that_work_at_the_same_time_share_the_cpus(monkeypatch):
    for name in ("OMP_NUM_THREADS", "LOKY_MAX_CPU_COUNT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("ntkreg.cpus._usable_cpus", lambda: 8)
    entered, leave, found = threading.Barrier(3), threading.Event(), []

    def work():
        with one_blas_thread(), one_blas_thread():  # a thread counts once
            entered.wait(10)
            found.append(check_n_jobs(None))
            entered.wait(10)  # both have asked
            leave.wait(10)

    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    entered.wait(10)
    assert (check_n_jobs(None), check_n_jobs(-1), check_n_jobs(3)) == (8 // 3, 8, 3)
    entered.wait(10)
    leave.set()
    for thread in threads:
        thread.join()
    assert found == [4, 4]
    assert check_n_jobs(None) == 8


@pytest.mark.parametrize("nonsense", ["", " ", "0", "-3", "many", "2.5", ",4", "²"])
def test_a_variable_that_is_no_number_of_threads_is_none(monkeypatch, nonsense):
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)
    monkeypatch.setenv("OMP_NUM_THREADS", nonsense)
    assert check_n_jobs(None) == check_n_jobs(-1) == len(os.sched_getaffinity(0))


@pytest.mark.parametrize("bad", [0, -2, 1.0, -1.0, True, "2"])
def test_other_numbers_of_threads_are_refused(bad):
    with pytest.raises(SpecError, match=r"n_jobs must be a positive integer, -1 .* got"):
        check_n_jobs(bad)


_FORK = """
import os, sys, threading
import numpy, threadpoolctl
from ntkreg import cpus

threadpoolctl.threadpool_limits(2, user_api="blas")
inside, leave = threading.Event(), threading.Event()

def caller():
    with {held}:
        inside.set()
        leave.wait(30)

thread = threading.Thread(target=caller)
thread.start()
inside.wait(30)
child = os.fork()
if not child:
    with cpus.one_blas_thread():
        held = {{each["num_threads"] for each in threadpoolctl.threadpool_info()}}
    after = {{each["num_threads"] for each in threadpoolctl.threadpool_info()}}
    os._exit(0 if (held, after) == ({{1}}, {{2}}) else 3)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
leave.set()
sys.exit(status)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
@pytest.mark.parametrize("held", ["cpus.one_blas_thread()", "cpus._limit.lock"])
def test_a_child_forked_meanwhile_knows_nothing_of_its_parents_callers(held):
    code = _FORK.format(held=held)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


def test_a_limit_that_is_interrupted_while_it_is_set_is_lifted(monkeypatch):
    def interrupted(library, number):
        set_threads(library, number)
        if number == 1:
            raise KeyboardInterrupt

    set_threads = cpus._set_threads
    with monkeypatch.context() as patch:
        patch.setattr(cpus, "_set_threads", interrupted)
        with pytest.raises(KeyboardInterrupt), one_blas_thread():
            pytest.fail("entered")
    assert set(_blas()) == {2}
    with one_blas_thread():
        assert set(_blas()) == {1}
    assert set(_blas()) == {2}

import contextlib
import threading
import time

import numba
import pytest

from ntkreg.gram import threads
from ntkreg.kernels.compiled.flags import compiled


def test_no_more_than_two_tasks_a_thread_wait_in_the_pool(monkeypatch):
    drawn = []

    def tasks():
        for i in range(50):
            drawn.append(i)
            yield i

    def work(task, done):
        if task == 0:
            raise FloatingPointError
        time.sleep(0.05)

    with pytest.raises(FloatingPointError):
        threads.run_tasks(tasks(), work, pairs=50, n_jobs=2, progress=False)
    assert len(drawn) <= 4


def test_workers_stop_at_their_next_block_once_another_has_failed():
    blocks = []

    def work(task, done):
        if task == 0:
            raise FloatingPointError
        for i in range(100):
            time.sleep(0.02)
            done(1)
            blocks.append(i)

    with pytest.raises(FloatingPointError):
        threads.run_tasks(range(4), work, pairs=400, n_jobs=2, progress=False)
    assert len(blocks) < 50


def test_every_task_runs_once():
    ran = []
    threads.run_tasks(
        range(37), lambda task, done: ran.append(task), pairs=37, n_jobs=3, progress=False
    )
    assert sorted(ran) == list(range(37))


def test_a_worker_that_compiles_ends_before_the_next_pass():
    @compiled
    def loop(x):
        return x + x

    def work(task, done):
        if task == 0:
            raise FloatingPointError
        with contextlib.suppress(threads.Stopped):
            while True:
                done(0)
        loop(1.0)

    with pytest.raises(FloatingPointError):
        threads.run_tasks(range(2), work, pairs=2, n_jobs=2, progress=False)
    assert not loop.overloads
    assert loop(1.0) == 2.0


@pytest.mark.parametrize(("progress", "times"), [(True, 1), (False, 0), (None, 0)])
def test_a_word_says_once_that_loops_are_compiled_where_progress_is_wanted(
    progress, times, capsys, monkeypatch
):
    monkeypatch.setattr(threads, "_said", threading.Lock())

    def work(task, done):
        assert numba.njit(lambda x: x + task)(1) == 1 + task

    threads.run_tasks(range(3), work, pairs=3, n_jobs=2, progress=progress)
    assert capsys.readouterr().err.count("compiling loops for this machine") == times


def test_the_word_says_where_compiled_code_is_kept(capsys, monkeypatch):
    for folder, said in (("/somewhere", "kept in /somewhere"), (None, "no folder for it can be")):
        monkeypatch.setattr(threads, "_said", threading.Lock())
        threads._say_compiling(folder)
        assert said in capsys.readouterr().err

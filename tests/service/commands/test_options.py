"""The progress bar of photographs."""

from threading import Barrier, Thread

import pytest

from service.commands.options import photographs_progress


def test_a_bar_that_has_ended_is_not_begun_again_by_a_thread(capsys: pytest.CaptureFixture[str]) -> None:
    with photographs_progress("Sending", 2) as done:
        pass
    done()
    assert capsys.readouterr().err == ""


def test_threads_share_one_bar(capsys: pytest.CaptureFixture[str]) -> None:
    together = Barrier(4)
    with photographs_progress("Sending", 4) as done:
        threads = [Thread(target=lambda: (together.wait(), done())) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert "4/4" in capsys.readouterr().err

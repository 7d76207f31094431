"""What a plan makes of the times that it measures."""

import pytest

from ntkreg.studies.widths import plan
from ntkreg.studies.widths.task import load_width_data


@pytest.mark.parametrize(("beginning", "a_flop"), [(0.0, 1e-9), (5e-3, 1e-9), (5e-3, 0.0)])
def test_what_it_takes_to_begin_a_step_is_none_of_its_flops(
    widths_config, monkeypatch, beginning, a_flop
):
    data = load_width_data(widths_config)
    asked = []

    def took(config, depth, width, flops, X, y):
        asked.append(width)
        return beginning + a_flop * flops

    monkeypatch.setattr(plan, "_seconds_of_step", took)
    rate = plan._flop_rate(widths_config, data.X, data.y)
    assert asked == [widths_config.widths[-1], widths_config.widths[1]]
    if a_flop:
        assert rate == pytest.approx(1 / a_flop)
    else:  # no longer for more flops: their time over all of them
        most = plan._step_flops(widths_config, max(widths_config.depths), asked[0], data.X)
        assert rate == pytest.approx(most / beginning)

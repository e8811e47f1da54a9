import torch
from torch import nn

from models.training.averaging import Average


def network(value: float) -> nn.Sequential:
    made = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for one in made.parameters():
        nn.init.constant_(one, value)
    return made


def weight(average: Average) -> float:
    return float(average.network.state_dict()["0.weight"][0, 0])


def test_the_average_is_the_exponential_one_once_it_has_taken_up() -> None:
    average = Average(network(0.0), decay=0.5)
    expected = 0.0
    for value in (1.0, 3.0, 5.0):
        average.follow(network(value), step=1_000)
        expected = 0.5 * expected + 0.5 * value
    assert weight(average) == expected


def test_it_follows_quickly_at_first() -> None:
    average = Average(network(0.0), decay=0.999)
    average.follow(network(1.0), step=0)
    assert weight(average) > 0.8


def test_running_statistics_are_averaged_and_counters_copied() -> None:
    followed = network(1.0)
    state = followed.state_dict()
    state["1.running_mean"].fill_(2.0)
    state["1.num_batches_tracked"].fill_(7)
    average = Average(network(0.0), decay=0.5)
    average.follow(followed, step=1_000)
    averaged = average.network.state_dict()
    torch.testing.assert_close(averaged["1.running_mean"], torch.full((2,), 1.0))
    assert averaged["1.num_batches_tracked"].item() == 7


def test_the_average_is_in_evaluation_mode_and_takes_no_gradient() -> None:
    average = Average(network(1.0).train(), decay=0.5)
    assert not average.network.training
    assert not any(one.requires_grad for one in average.network.parameters())

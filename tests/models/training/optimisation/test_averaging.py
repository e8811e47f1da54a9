import torch
from torch import nn

from models.training.optimisation.averaging import WeightAverage
from models.training.recipes.settings import AverageSettings


def constant_network(value: float) -> nn.Sequential:
    network = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    for parameter in network.parameters():
        nn.init.constant_(parameter, value)
    return network


def first_weight(average: WeightAverage) -> float:
    return float(average.network.state_dict()["0.weight"][0, 0])


def test_late_in_a_run_the_average_is_exponential_with_the_given_decay() -> None:
    average = WeightAverage(constant_network(0.0), AverageSettings(decay=0.5))
    expected = 0.0
    for value in (1.0, 3.0, 5.0):
        average.update(constant_network(value), step=1_000)
        expected = 0.5 * expected + 0.5 * value
    assert first_weight(average) == expected


def test_at_the_start_the_average_changes_quickly() -> None:
    average = WeightAverage(constant_network(0.0), AverageSettings(decay=0.999))
    average.update(constant_network(1.0), step=0)
    assert first_weight(average) > 0.8


def test_running_statistics_are_averaged_and_counters_are_copied() -> None:
    network = constant_network(1.0)
    state = network.state_dict()
    state["1.running_mean"].fill_(2.0)
    state["1.num_batches_tracked"].fill_(7)
    average = WeightAverage(constant_network(0.0), AverageSettings(decay=0.5))
    average.update(network, step=1_000)
    averaged = average.network.state_dict()
    torch.testing.assert_close(averaged["1.running_mean"], torch.full((2,), 1.0))
    assert averaged["1.num_batches_tracked"].item() == 7


def test_the_average_is_in_evaluation_mode_and_needs_no_gradient() -> None:
    average = WeightAverage(constant_network(1.0).train(), AverageSettings(decay=0.5))
    assert not average.network.training
    assert not any(parameter.requires_grad for parameter in average.network.parameters())

"""Random numbers as a function of the step."""

import torch

from sb_resizegan.utils.random import StepRandom, derive_seed


def uniform(count, generator):
    return generator.uniform(count, 3)


def test_processes_share_out_what_one_process_would_draw():
    joint = StepRandom(5, 9)
    ranks = [StepRandom(5, 9, rank, 3) for rank in range(3)]
    for _ in range(2):
        expected = joint.rows(uniform, 12)
        assert torch.equal(torch.cat([r.rows(uniform, 4) for r in ranks]), expected)


def test_steps_and_seeds_are_independent():
    draws = [StepRandom(seed, index).rows(uniform, 2000) for seed in (1, 2) for index in (0, 1)]
    flat = torch.stack([d.flatten() for d in draws])
    assert (torch.corrcoef(flat) - torch.eye(4)).abs().max() < 0.05


def test_global_state_is_left_alone():
    before = torch.get_rng_state()
    StepRandom(5, 9).rows(uniform, 4)
    assert torch.equal(torch.get_rng_state(), before)


def test_seeds_do_not_depend_on_the_process():
    assert derive_seed(1986, "step", 3) == 6368345197155429096

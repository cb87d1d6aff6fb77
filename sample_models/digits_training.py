"""Trains the digit classifier; the only script here that needs torch."""

import digits_data
import numpy as np
import torch
from torch import nn

EPOCHS, BATCH = 40, 64


def train() -> dict[str, np.ndarray]:
    """The trained tensors by name (`conv1.weight`); the same on every run on one machine."""
    torch.manual_seed(0)
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    network = _network()
    pictures, labels = (torch.from_numpy(array) for array in digits_data.load(held_out=False))
    optimizer = torch.optim.AdamW(network.parameters(), lr=3e-3, weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, EPOCHS)
    for _ in range(EPOCHS):
        for batch in torch.randperm(len(labels)).split(BATCH):
            optimizer.zero_grad()
            nn.functional.cross_entropy(network(pictures[batch]), labels[batch], label_smoothing=0.05).backward()
            optimizer.step()
        schedule.step()
    return {name: tensor.numpy() for name, tensor in network.state_dict().items()}


def _network() -> nn.Sequential:
    """The layers that digits.py writes as ONNX, under the same names."""
    network = nn.Sequential()
    layers = (
        ("conv1", nn.Conv2d(1, 128, 3, padding=1)),
        ("relu1", nn.ReLU()),
        ("conv2", nn.Conv2d(128, 192, 3, padding=1)),
        ("relu2", nn.ReLU()),
        ("pool2", nn.MaxPool2d(2)),
        ("conv3", nn.Conv2d(192, 64, 3, padding=1)),
        ("relu3", nn.ReLU()),
        ("pool3", nn.MaxPool2d(2)),
        ("flatten", nn.Flatten()),
        ("fc1", nn.Linear(256, 64)),
        ("relu4", nn.ReLU()),
        ("fc2", nn.Linear(64, 10)),
    )
    for name, layer in layers:
        network.add_module(name, layer)
    return network

"""Time a fast PyTorch loop: arrays in memory, batches by a shuffled index."""

import torch
from problems import make_blocks, make_epoch, materialise
from torch import nn


class Net(nn.Module):
    def __init__(self, n_features, units):
        super().__init__()
        self.lstm = nn.LSTM(n_features, units, batch_first=True)
        self.head = nn.Linear(units, 1)

    def forward(self, x):
        return self.head(self.lstm(x)[0][:, -1])


def epoch(n_windows, batch, steps, units):
    blocks, y = make_epoch(n_windows, steps)
    X, y = torch.from_numpy(materialise(blocks, steps)), torch.from_numpy(y)[:, None]
    net, loss = Net(1, units), nn.MSELoss()
    optimizer = torch.optim.Adam(net.parameters())

    def run():
        for rows in torch.randperm(len(X)).split(batch):
            optimizer.zero_grad()
            loss(net(X[rows]), y[rows]).backward()
            optimizer.step()

    run()
    return run


def predict(n_series, length, n_features, window, segment, units, sample):
    """Predict a sample, in windows of single rows."""
    blocks = make_blocks(-(-sample // length), length, n_features)
    X = torch.from_numpy(materialise(blocks, window, pad=True)[:sample])
    net = Net(n_features, units)

    @torch.no_grad()
    def run():
        torch.cat([net(batch) for batch in X.split(1024)])
        return {"rows": len(X)}

    run()
    return run

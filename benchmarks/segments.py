"""Measure the effect of `segment_length` on time and error, on three data sets.

    python benchmarks/segments.py

Turbofan engines (FD001): the README's pipeline by grouped cross-validation on the training
engines, scored at random cycles. M4 hourly and NN5 daily: the forecasts of
`forecast_recipe.py` on the last horizon of the training parts, three seeds. Seconds are those of
later fits of a shape, which is compiled by then.
"""

import time

import numpy as np
from forecast_recipe import forecast
from problems import mean_mase, read_series
from sklearn.model_selection import GroupKFold, cross_validate
from turbofan import score_at_random_cycles
from turbofan_data import MAX_LIFE, load, make_net


def show(name, segment, errors, seconds):
    print(
        f"{name:11s} {segment:7d}  {np.mean(errors):6.3f}  {min(errors):6.3f}-{max(errors):6.3f}"
        f"  {np.median(seconds):6.1f}",
        flush=True,
    )


def main():
    print("data        segment   error  of each run    seconds")
    data = load()
    y = data.train_rul.clip(upper=MAX_LIFE)
    for segment in (1, 5, 10, 20):
        found = cross_validate(
            make_net(segment_length=segment, random_state=0),
            data.train,
            y,
            groups=data.train["unit"],
            cv=GroupKFold(4, shuffle=True, random_state=0),
            scoring=score_at_random_cycles,
        )
        show("FD001", segment, -found["test_score"], found["fit_time"][1:])
    for folder, horizon, season, segments in (
        ("m4_hourly", 48, 24, (1, 6, 12, 24, 48)),
        ("nn5_daily", 56, 7, (1, 7, 14, 28)),
    ):
        series = read_series(folder, "train")
        past, held_out = [x[:-horizon] for x in series], [x[-horizon:] for x in series]
        for segment in segments:
            errors, seconds = [], []
            for seed in range(3):
                started = time.perf_counter()
                predicted = forecast(
                    past, horizon=horizon, season=season, segment=segment, seed=seed
                )
                seconds.append(time.perf_counter() - started)
                errors.append(mean_mase(past, held_out, predicted, season))
            show(folder, segment, errors, seconds[1:])


if __name__ == "__main__":
    main()

"""Compare columns of categories with one-hot columns, and with leaving the column out.

    python benchmarks/categories.py

Root mean squared error of small networks, five seeds. "Known": rows of categories that are in
training. "Unseen": rows of series whose site or station is not in training; there, a network
without the column is the baseline.

Made: 120 series of 60 rows. The site (12, one per series) sets the effect of the feature, and the
product (5, another in each row) adds to the target of its row and of the next two. Training has 9
sites, and half of their series.

Beijing: the logarithm of PM2.5 from the weather of the last 24 hours at 12 stations (constant) and
16 directions of the wind (another each hour). Training: a year of 9 stations, drawn by the seed.
Test: the next year of all stations.

One-hot columns enter as users pass them, after the scaler; those of the site or station as
`static_features`, so that the ways differ in the columns alone.
"""

import tracemalloc

import numpy as np
import pandas as pd
from problems import DATA, CannotError
from sklearn.compose import make_column_transformer
from sklearn.metrics import root_mean_squared_error
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from sklstm import MultiSeriesLSTMRegressor, PerSeriesScaler, WindowTransformer

SEEDS = 5
IDS = {"series": "series", "time": "time"}
WEATHER = ["TEMP", "PRES", "DEWP", "RAIN", "WSPM"]


def made(seed, n_series=120, n_rows=60, n_sites=12):
    """Make a panel in which the site and the product matter; return it with its two parts."""
    rng = np.random.default_rng(seed)
    effects, added = rng.normal(size=n_sites), rng.normal(size=5)
    site = np.arange(n_series) % n_sites
    x = rng.normal(size=(n_series, n_rows))
    product = rng.integers(0, 5, x.shape)
    from_products = added[product]
    for lag in (1, 2):
        from_products[:, lag:] += added[product[:, :-lag]]
    y = effects[site, np.newaxis] * x + from_products + 0.3 * rng.normal(size=x.shape)
    panel = pd.DataFrame(
        {
            "series": np.arange(n_series).repeat(n_rows),
            "time": np.tile(np.arange(n_rows), n_series),
            "x": x.ravel(),
            "product": pd.Categorical(product.ravel()),
            "site": pd.Categorical([f"site {code}" for code in site.repeat(n_rows)]),
        }
    )
    unseen = rng.permutation(n_sites)[:3]
    is_unseen = np.isin(site, unseen).repeat(n_rows)
    training = ~is_unseen & (panel["series"] % (2 * n_sites) < n_sites)
    return panel, y.ravel(), "site", training, is_unseen


def beijing(seed):
    """Read the stations; training is the year before March 2016, test the year after."""
    files = sorted((DATA / "beijing_air").glob("*.csv.gz"))
    if not files:
        raise CannotError(f"{DATA / 'beijing_air'} has no files; see SKLSTM_DATA")
    panel = pd.concat([pd.read_csv(path) for path in files], ignore_index=True)
    time = pd.to_datetime(panel[["year", "month", "day", "hour"]])
    panel = panel.assign(time=time, series=panel["station"])[time >= "2015-03-01"]
    panel[WEATHER] = panel.groupby("series")[WEATHER].ffill()
    y = np.log1p(panel["PM2.5"]).to_numpy()
    panel = panel[["series", "time", *WEATHER, "wd", "station"]].reset_index(drop=True)
    panel = panel.astype({"wd": "category", "station": "category"})
    stations = np.random.default_rng(seed).permutation(panel["station"].cat.categories)
    is_unseen = panel["station"].isin(stations[:3]).to_numpy()
    training = ~is_unseen & (panel["time"] < "2016-03-01").to_numpy()
    return panel, y, "station", training, is_unseen


def network(seed, **options):
    return MultiSeriesLSTMRegressor(
        16,
        epochs=8,
        steps_per_epoch=100,
        batch_size=256,
        learning_rate=5e-3,
        learning_rate_decay="cosine",
        random_state=seed,
        **options,
    )


def pipeline(way, panel, constant, seed, window_length):
    """Make the pipeline of one way to treat the columns of categories."""
    coded = [name for name in panel if isinstance(panel[name].dtype, pd.CategoricalDtype)]
    numbers = [name for name in panel if name not in [*coded, *IDS.values()]]
    scaler = PerSeriesScaler(statistics="pooled", columns=numbers, **IDS)
    columns = [*numbers, *coded]
    if way == "without":
        columns.remove(constant)
    if way != "one-hot":
        windows = WindowTransformer(window_length, columns=columns, **IDS)
        return make_pipeline(scaler, windows, network(seed))
    encoder = make_column_transformer(
        (OneHotEncoder(sparse_output=False, handle_unknown="ignore"), coded),
        remainder="passthrough",
        verbose_feature_names_out=False,
    ).set_output(transform="pandas")
    values = panel[constant].dropna().unique()
    static = [f"{constant}_{value}" for value in values]
    windows = WindowTransformer(window_length, **IDS)
    return make_pipeline(encoder, scaler, windows, network(seed, static_features=static))


WAYS = ("categories", "one-hot", "without")


def errors(make, seed, window_length):
    """Return the errors of each way on known and unseen categories."""
    panel, y, constant, training, is_unseen = make(seed)
    known_target = ~np.isnan(y)
    earlier = panel.loc[training, "time"].max() if make is beijing else -1
    test = known_target & ~training & (panel["time"] > earlier).to_numpy()
    found = {}
    for way in WAYS:
        pipe = pipeline(way, panel[training], constant, seed, window_length)
        predicted = pipe.fit(panel[training], y[training]).predict(panel)
        for name, rows in (("known", test & ~is_unseen), ("unseen", test & is_unseen)):
            found[way, name] = root_mean_squared_error(y[rows], predicted[rows])
    return found


def show(results):
    """Print mean and range of the errors, and the mean difference from the categories."""
    for name in ("known", "unseen"):
        base = np.array([result["categories", name] for result in results])
        for way in WAYS:
            values = np.array([result[way, name] for result in results])
            spread = f"{values.mean():.3f} ({values.min():.3f} to {values.max():.3f})"
            change = 100 * (values / base - 1)
            spread_of_change = f"{change.mean():+.1f} ({change.min():+.1f} to {change.max():+.1f})"
            print(f"| {name} | {way} | {spread} | {spread_of_change} |", flush=True)


def show_memory():
    """Print the memory of windows of several lengths, with and without the categories."""
    panel = made(0, n_series=1200)[0]
    for length in (10, 100, 1000):
        for chosen in (["x"], ["x", "product", "site"]):
            tracemalloc.start()
            windows = WindowTransformer(length, columns=chosen, **IDS).fit_transform(panel)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            mb = f"{windows.nbytes / 1e6:.1f} | {peak / 1e6:.1f}"
            print(f"| {len(panel)} rows, windows of {length}, {len(chosen)} features | {mb} |")


def main():
    for make, window_length in ((made, 6), (beijing, 24)):
        try:
            results = [errors(make, seed, window_length) for seed in range(SEEDS)]
        except CannotError as reason:
            print(f"{make.__name__}: {reason}")
            continue
        print(f"{make.__name__}: RMSE, and change in % from that of the categories")
        show(results)
    print("memory in MB: of the windows, and at the peak")
    show_memory()


if __name__ == "__main__":
    main()

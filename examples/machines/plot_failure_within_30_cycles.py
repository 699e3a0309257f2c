"""
Will the engine fail within 30 cycles?
======================================

A mechanic rarely needs the exact remaining life of a machine. More often, the question is whether
it will fail before the next inspection. This example predicts the probability that an engine fails
within the next 30 cycles, for engines that were not in training, and shows how to turn the
probability into alarms.
"""

# %%
# A label for each row
# --------------------
#
# :func:`~sklstm.datasets.load_turbofan` returns sensor data of simulated jet engines, one row per
# cycle, such as a flight. The training engines ran until they failed, so the event is the last row
# of each engine (``event=True``). :func:`~sklstm.make_event_targets` labels each row: 1 if the
# event is at most 30 rows away, otherwise 0. Had an engine not failed, its last 30 labels would be
# missing, and the classifier would leave these rows out of its loss.

from sklstm import make_event_targets
from sklstm.datasets import load_turbofan

data = load_turbofan()
ids = {"series": "unit", "time": "cycle"}
X = data.train.assign(age=data.train["cycle"].astype("float32"))
X_test = data.test.assign(age=data.test["cycle"].astype("float32"))
soon = make_event_targets(X, event=True, horizon=30, **ids)
print(f"{soon.mean():.0%} of {len(X)} rows are within 30 cycles of a failure")

# %%
# Classifier
# ----------
#
# :class:`~sklstm.MultiSeriesLSTMClassifier` is an ordinary classifier with ``predict_proba``. Each
# prediction is based on the window of the latest 80 rows of the same engine.

from sklearn.pipeline import make_pipeline

from sklstm import MultiSeriesLSTMClassifier, PerSeriesScaler, WindowTransformer

sensors = [f"sensor{i}" for i in (2, 3, 4, 7, 11, 12, 15, 17, 20, 21)]
pipe = make_pipeline(
    PerSeriesScaler(**ids),
    WindowTransformer(80, columns=[*sensors, "age"], **ids),
    MultiSeriesLSTMClassifier(
        32,
        # One step of the LSTM per five rows, for speed.
        segment_length=5,
        # Learn from engines as soon as they have 20 rows.
        min_observed=20,
        batch_size=256,
        epochs=6,
        learning_rate=3e-3,
        learning_rate_decay="cosine",
        random_state=0,
    ),
)
pipe.fit(X, soon)

# %%
# Engines that were not in training
# ---------------------------------
#
# The test engines were stopped before they failed. Their true lives are known, so the predictions
# can be scored with scikit-learn's metrics.

from sklearn.metrics import average_precision_score, roc_auc_score

fails_soon = data.test_rul <= 30
probability = pipe.predict_proba(X_test)[:, 1]
print(f"area under the ROC curve: {roc_auc_score(fails_soon, probability):.3f}")
print(f"average precision: {average_precision_score(fails_soon, probability):.3f}")

# %%
# From probabilities to alarms
# ----------------------------
#
# An alarm is raised where the probability exceeds a threshold. The left figure shows the
# probability of each test engine on its way to the failure. The right figure counts, at the last
# known cycle of each engine, the alarms that were missed and those that were false.

import matplotlib.pyplot as plt
import numpy as np

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for unit in X_test["unit"].unique():
    rows = (X_test["unit"] == unit).to_numpy()
    left.plot(data.test_rul[rows], probability[rows], color="C0", lw=0.7, alpha=0.5)
left.axvline(30, color="0.25", ls="--", lw=1)
left.set_xticks([90, 60, 30, 0])
left.set(
    xlim=(100, 0),
    xlabel="true remaining life (cycles)",
    ylabel="predicted probability",
    title="Each line is a test engine",
)

last = ~X_test["unit"].duplicated(keep="last").to_numpy()
thresholds = np.linspace(0, 1, 201)
alarm = probability[last] > thresholds[:, np.newaxis]
missed = (~alarm & fails_soon[last].to_numpy()).sum(axis=1)
false = (alarm & ~fails_soon[last].to_numpy()).sum(axis=1)
right.plot(thresholds, missed, drawstyle="steps-post", label="missed failures")
right.plot(thresholds, false, drawstyle="steps-post", ls="--", label="false alarms")
right.set(
    ylim=(-0.3, 15),
    xlabel="threshold",
    ylabel="engines",
    title=f"{last.sum()} test engines, of which {fails_soon[last].sum()} fail soon",
)
right.legend(frameon=False)
for ax in (left, right):
    ax.spines[["top", "right"]].set_visible(False)
plt.show()

# %%
# The probability of most engines is near 0 until 50 cycles before the failure, and then rises.
# Around 30 cycles it may have any value, since an engine with 29 cycles left looks like one with
# 31.
# A low threshold misses no failure but inspects more engines too early, and a high threshold does
# the opposite: choose it by the costs of both mistakes, for instance with
# :class:`~sklearn.model_selection.TunedThresholdClassifierCV`.

"""A model is trained with XGBoost, round by round, with the checkpoints that XGBoost itself writes.

They are written in place, so that a process killed at the wrong moment leaves a torn one behind,
which this then fails over, as such scripts do.
"""

import sys
from pathlib import Path

import numpy as np
import xgboost

ROUNDS, EVERY = int(sys.argv[1]), 50

random = np.random.default_rng(1)
x = random.normal(size=(20_000, 30))
y = (x[:, 0] * x[:, 1] + random.normal(size=20_000) > 0).astype(float)
saved = sorted(Path().glob("model_*.ubj"), key=lambda path: int(path.stem.split("_")[1]))
start = xgboost.Booster(model_file=str(saved[-1])) if saved else None
done = start.num_boosted_rounds() if start else 0
model = xgboost.train(
    {"max_depth": 6, "nthread": 1, "tree_method": "hist"},
    xgboost.DMatrix(x, y),
    ROUNDS - done,
    xgb_model=start,
    callbacks=[xgboost.callback.TrainingCheckPoint(".", name="model", interval=EVERY)],
)
model.save_model("final.json")

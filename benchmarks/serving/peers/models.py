"""The models, trained where they are used: a file of one scikit-learn release may not open in another.

Runs in every peer's environment, the oldest of which is Python 3.8.
"""

from sklearn.datasets import load_iris
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression


def train(workload):
    features, labels = load_iris(return_X_y=True)
    if workload == "lr":
        return LogisticRegression(max_iter=500).fit(features, labels)
    if workload == "rf":
        return RandomForestClassifier(n_estimators=100, random_state=0).fit(features, labels)
    raise SystemExit("no model for the workload " + repr(workload))

"""Train on iris, pack the model and save the service into the local repository."""

from service import FEATURES, IrisClassifier
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression


def train():
    data = load_iris(as_frame=True)
    frame = data.data.set_axis(FEATURES, axis="columns")
    return LogisticRegression(max_iter=1000).fit(frame, data.target)


def save():
    """Returns the path of the saved bundle."""
    service = IrisClassifier()
    service.pack("model", train())
    return service.save()


if __name__ == "__main__":
    print(save())

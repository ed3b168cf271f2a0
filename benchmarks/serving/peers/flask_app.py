"""Flask as a tutorial writes it: `python flask_app.py lr 8000`, or `gunicorn 'flask_app:make_app("lr")'`."""

import sys

from flask import Flask, jsonify, request
from models import train


def make_app(workload):
    model = train(workload)
    app = Flask("peer")

    @app.post("/predict")
    def predict():
        return jsonify(int(model.predict([request.get_json()])[0]))

    return app


if __name__ == "__main__":
    make_app(sys.argv[1]).run(port=int(sys.argv[2]))

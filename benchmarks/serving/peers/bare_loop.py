"""The model in a plain loop, without a server: what serving it can reach at most.

`python bare_loop.py cnn QUESTIONS SECONDS WARM CLIENTS` decodes a batch, calls the model once and starts
again. QUESTIONS holds `load.body` and `questions.json`, pairs of a body's file and the right answer, which
are all asked first. Prints one line of JSON. A latency is what each of CLIENTS would see that share the loop.
"""

import json
import sys
import time
from collections import deque
from pathlib import Path


def iris(workload):
    import orjson
    from models import train

    model = train(workload)
    return lambda bodies: model.predict([orjson.loads(body) for body in bodies]).tolist()


def tables(workload):
    import io

    import numpy
    import orjson
    import pandas
    from tables import train_on_tables

    model = train_on_tables(workload)

    def frame(body):
        if workload.endswith("csv"):
            return pandas.read_csv(io.BytesIO(body))
        return pandas.DataFrame(orjson.loads(body))

    def answer(bodies):
        frames = [frame(body) for body in bodies]
        labels = model.predict(pandas.concat(frames, ignore_index=True))
        return [part.tolist() for part in numpy.split(labels, numpy.cumsum([len(f) for f in frames])[:-1])]

    return answer


def pictures(workload):
    import images

    model = images.train_cnn()
    return lambda bodies: images.classify(model, [images.decode(body) for body in bodies])


def text(workload):
    import gpt

    model = gpt.make_model()
    return lambda bodies: [gpt.continue_text(model, json.loads(body)) for body in bodies]


MAKERS = {"cnn": pictures, "gpt": text, "lr": iris, "rf": iris}


def percentile(ordered, share):
    return int(1e6 * ordered[min(len(ordered) - 1, int(share * len(ordered)))])


def main(workload, folder, seconds, warm, clients):
    answer = MAKERS.get(workload, tables)(workload)
    batch = 1 if workload == "gpt" else clients
    questions = json.loads((folder / "questions.json").read_text())
    bodies = [(folder / name).read_bytes() for name, _ in questions]
    got = [value for i in range(0, len(bodies), batch) for value in answer(bodies[i : i + batch])]
    expected = [right for _, right in questions]
    if got != expected:
        sys.exit(f"the bare loop answered {got} instead of {expected}")
    load = [(folder / "load.body").read_bytes()] * batch
    right = answer(load)
    wrong, latencies, turns = 0, [], deque([time.perf_counter()], maxlen=max(1, clients // batch))
    measured_from = time.perf_counter() + warm
    cpu_before = time.process_time()
    while time.perf_counter() < measured_from + seconds:
        wrong += answer(load) != right
        now = time.perf_counter()
        if now >= measured_from:
            latencies.append(now - turns[0])
        else:
            cpu_before = time.process_time()
        turns.append(now)
    took = time.perf_counter() - measured_from
    ordered = sorted(latencies) or [took]
    result = {
        "requests": len(latencies) * batch,
        "duration_us": int(took * 1e6),
        "wrong": wrong,
        "cpu_s": time.process_time() - cpu_before,
        "p50_us": percentile(ordered, 0.5),
        "p90_us": percentile(ordered, 0.9),
        "p99_us": percentile(ordered, 0.99),
        "max_us": percentile(ordered, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]), int(sys.argv[5]))

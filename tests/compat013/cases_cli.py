"""Command lines."""

from __future__ import annotations

from .case import CENTROID, ECHO, FILES, FORMS, FRAME, IRIS, WORDS, Run


def cli_cases() -> list[Run]:
    good = {
        "x.csv": "a,b\n1,x\n2,y\n",
        "y.csv": "a,b\n3,z\n",
        "x.json": '[{"a": 1, "b": "x"}]',
        "bad.json": "{bad",
        "t.txt": "grün\n",
        "header.csv": "a,b\n",
        "other.csv": "b,a\nz,4\n",
        "notes.json": '{"boxes": [[1, 2.5]]}',
    }

    def run(name: str, *argv: str) -> Run:
        return Run(f"cli-{name}", argv, good)

    return [
        run("run-json", "run", ECHO, "json_single", "--input", '{"a": 1}'),
        run("run-json-two", "run", ECHO, "json_batch", "--input", "[1]", '"zwei ä"'),
        run("run-json-bad", "run", ECHO, "json_single", "--input", "{bad"),
        run("run-json-one-bad", "run", ECHO, "json_single", "--input", "1", "{bad", "3"),
        run("run-json-file", "run", ECHO, "json_single", "--input-file", "x.json"),
        run("run-json-output-str", "run", ECHO, "json_single", "--input", '{"a": null}', "-o", "str"),
        run("run-json-chunks", "run", ECHO, "json_batch", "--input", "1", "2", "3", "--max-batch-size", "2"),
        run("run-no-input", "run", ECHO, "json_single"),
        run("run-both-inputs", "run", ECHO, "json_single", "--input", "1", "--input-file", "x.json"),
        run("run-missing-file", "run", ECHO, "json_single", "--input-file", "nothing.json"),
        run("run-unknown-api", "run", ECHO, "nothing", "--input", "1"),
        run("run-unknown-bento", "run", "Nothing:latest", "predict", "--input", "1"),
        run("run-unknown-version", "run", "EchoService:9", "json_single", "--input", "1"),
        run("run-bare-name", "run", "EchoService", "json_single", "--input", "1"),
        run("run-latest", "run", "NearestCentroid:latest", "predict", "--input", "[5.1,3.5,1.4,0.2]"),
        run("run-text", "run", ECHO, "text_batch", "--input", "a", "b"),
        run("run-text-file", "run", ECHO, "text_single", "--input-file", "t.txt"),
        run("run-fails", "run", ECHO, "fails_single", "--input", "1"),
        run("run-result", "run", ECHO, "result_single", "--input", "1"),
        run("run-error", "run", ECHO, "error_single", "--input", "1"),
        run("run-discard", "run", ECHO, "discard_single", "--input", "1", "{}"),
        run("run-frame-json", "run", FRAME, "rows", "--input", '[{"a": 1, "b": "x"}]'),
        run("run-frame-csv-file", "run", FRAME, "rows", "--input-file", "x.csv", "--format", "csv"),
        run("run-frame-csv-files", "run", FRAME, "rows", "--input-file", "x.csv", "y.csv", "--format", "csv"),
        run("run-frame-json-file", "run", FRAME, "rows", "--input-file", "x.json"),
        run("run-frame-bad", "run", FRAME, "rows", "--input", "{bad"),
        run("run-frame-bad-format", "run", FRAME, "rows", "--input", "1", "--format", "xml"),
        run("run-file", "run", FILES, "file_single", "--input-file", "t.txt"),
        run("run-file-text", "run", FILES, "file_single", "--input", "abc"),
        run("run-frame-output-str", "run", FRAME, "rows", "--input-file", "x.json", "-o", "str"),
        run("run-frame-values", "run", FRAME, "rows", "--input", "[[1, 2], [3, 4]]", "[[5, 6]]"),
        run(
            *("run-frame-chunks", "run", FRAME, "rows", "--input-file", "x.csv", "y.csv"),
            *("--format", "csv", "--max-batch-size", "1"),
        ),
        run("run-frame-csv-text", "run", FRAME, "rows", "--input", "a,b\n1,x\n", "--format", "csv"),
        run("run-frame-csv-header", "run", FRAME, "rows", "--input-file", "header.csv", "--format", "csv"),
        run("run-files", "run", FILES, "file_batch", "--input-file", "t.txt", "x.csv", "quarters.png"),
        run("run-files-text", "run", FILES, "file_batch", "--input", "abc", "grün"),
        run("run-files-missing", "run", FILES, "file_batch", "--input-file", "t.txt", "nothing.txt"),
        run("run-files-output-str", "run", FILES, "file_batch", "--input-file", "t.txt", "--output", "str"),
        run(
            *("run-files-chunks", "run", FILES, "file_batch", "--input-file", "t.txt", "x.csv", "y.csv"),
            *("--max-batch-size", "2"),
        ),
        run("run-image", "run", FILES, "image_single", "--input-file", "quarters.png"),
        run(
            *("run-images", "run", FILES, "image_batch", "--input-file"),
            *("quarters.png", "quarters.bmp", "quarters.tiff", "alpha.png", "palette.png", "grey.png"),
        ),
        run("run-image-grey", "run", FILES, "image_grey", "--input-file", "quarters.png", "quarters.bmp"),
        run("run-image-ending", "run", FILES, "image_png", "--input-file", "quarters.png", "quarters.bmp"),
        run("run-image-no-image", "run", FILES, "image_batch", "--input-file", "quarters.png", "t.txt"),
        run(
            *("run-images-chunks", "run", FILES, "image_batch", "--max-batch-size", "1", "-o", "str"),
            *("--input-file", "quarters.png", "grey.png"),
        ),
        run(
            *("run-forms-files", "run", FORMS, "files_batch", "--input-file-left", "t.txt", "x.csv"),
            *("--input-file-right-one", "y.csv", "x.json"),
        ),
        run("run-forms-text", "run", FORMS, "files_single", "--input-left", "ab", "--input-right-one", "ü"),
        run("run-forms-one", "run", FORMS, "files_batch", "--input-file-left", "t.txt"),
        run("run-forms-none", "run", FORMS, "files_batch"),
        run(
            *("run-forms-counts", "run", FORMS, "files_batch", "--input-file-left", "t.txt", "x.csv"),
            *("--input-file-right-one", "y.csv"),
        ),
        run(
            *("run-forms-mixed", "run", FORMS, "files_batch", "--input-left", "a"),
            *("--input-file-right-one", "y.csv"),
        ),
        run(
            *("run-forms-images", "run", FORMS, "images_batch", "--input-file-first", "quarters.png"),
            *("grey.png", "--input-file-second", "alpha.png", "quarters.bmp"),
        ),
        run(
            *("run-forms-annotated", "run", FORMS, "annotated_single", "--input-file-image", "quarters.png"),
            *("--input-file-annotations", "notes.json"),
        ),
        run(
            *("run-forms-annotated-batch", "run", FORMS, "annotated_batch", "--input-file-image"),
            *("quarters.png", "grey.png", "--input-file-annotations", "notes.json", "bad.json"),
        ),
        run("run-words", "run", WORDS, "score", "--input", "good bad good"),
        run("list", "list"),
        run("list-wide", "list", "-o", "wide"),
        run("list-json", "list", "-o", "json"),
        run("list-yaml", "list", "-o", "yaml"),
        run("list-labels", "list", "--labels", "stage=prod", "-o", "json"),
        run("list-labels-in", "list", "--labels", "stage in (dev-1, qa)", "-o", "json"),
        run("list-limit", "list", "--limit", "2", "--order-by", "name", "--ascending-order", "-o", "json"),
        run("get-name", "get", "IrisClassifier"),
        run("get-name-json", "get", "IrisClassifier", "-o", "json"),
        run("get-version", "get", IRIS),
        run("get-yaml", "get", IRIS, "-o", "yaml"),
        run("get-location", "get", IRIS, "--print-location"),
        run("get-latest-location", "get", "IrisClassifier:latest", "--print-location"),
        run("get-unknown", "get", "Nothing:1"),
        run("get-unknown-name", "get", "Nothing"),
        run("get-deleted", "get", "WordCounter:0.9.0"),
        run("info", "info", CENTROID),
        run("open-api-spec", "open-api-spec", CENTROID),
        run("serve-unknown", "serve", "Nothing:1"),
        run("unknown-command", "frobnicate"),
    ]

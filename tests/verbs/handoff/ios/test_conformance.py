"""The judge of an iOS project: compiled from C as it is handed over, with an engine in C that answers as it is told."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from crossload.contract import device
from crossload.verbs.handoff.handoff import handoff
from tests.corpus.handmade import Lite
from tests.environment import compiled
from tests.verbs.handoff import made

# Answers one request of y as its argument says, and ends with the number of answers that did not agree.
ENGINE = """
#include <stdio.h>
#include <string.h>
#include "conformance.h"
static float answer[2] = {1, 1};
static const char *mode;
static FILE *json;
static int reset(void *context, char *error, size_t room) {
    (void)context;
    snprintf(error, room, "no memory");
    return strcmp(mode, "reset") == 0 ? -1 : 0;
}
static int run(void *context, const char *key, const crossload_tensor *inputs, size_t input_count, crossload_tensor *outputs,
               size_t output_count, char *error, size_t room) {
    (void)context;
    if (strcmp(key, "serve") != 0 || input_count != 1 || output_count != 1 || strcmp(outputs[0].name, "y") != 0) return -1;
    if (strcmp(inputs[0].name, "x") != 0 || inputs[0].rank != 2 || inputs[0].bytes != 16 || ((float *)inputs[0].data)[3] != 1) return -1;
    crossload_tensor *y = &outputs[0];
    y->datatype = strcmp(mode, "datatype") == 0 ? CROSSLOAD_INT32 : CROSSLOAD_FP32;
    y->rank = strcmp(mode, "rank") == 0 ? 9 : 2;
    y->shape[0] = strcmp(mode, "negative") == 0 ? -1 : 1;
    y->shape[1] = strcmp(mode, "shape") == 0 ? 1 : 2;
    y->bytes = strcmp(mode, "shape") == 0 || strcmp(mode, "bytes") == 0 ? 4 : 8;
    y->data = strcmp(mode, "missing") == 0 ? NULL : answer;
    if (strcmp(mode, "value") == 0) answer[1] = 3;
    if (strcmp(mode, "error") != 0) return 0;
    snprintf(error, room, "no \\"delegate\\"");
    return -1;
}
static void print(void *context, const char *line) {
    (void)context;
    puts(line);
}
static void write_json(void *context, const char *text) {
    (void)context;
    fputs(text, json);
}
int main(int count, char **words) {
    static char recorded[1 << 16];
    const char *const device[] = {"name", "iPhone \\"1\\"", "os", "iOS 17", NULL};
    const crossload_engine engine = {NULL, reset, run, print, write_json};
    crossload_count_of_answers found = {0, 0};
    if (count != 4) return 9;
    mode = words[3];
    FILE *file = fopen(words[1], "rb");
    json = fopen(words[2], "w");
    if (file == NULL || json == NULL) return 9;
    size_t bytes = fread(recorded, 1, sizeof recorded, file);
    fclose(file);
    if (strcmp(mode, "cut") == 0) bytes = 20;
    int status = crossload_conformance(&engine, recorded, bytes, "tflite-ios", device, &found);
    fclose(json);
    printf("%zu of %zu\\n", found.passed, found.passed + found.failed);
    return status != 0 ? 8 : (int)found.failed;
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ios")
    lite = Lite()
    lite.signatures = {"serve": ({"x": 0}, {"y": 1})}
    bundle = made.bundle(folder / "bundle", lite, made.vector("one"))
    root = handoff(bundle, folder / "project", to="ios").root
    (folder / "engine.c").write_text(ENGINE, "utf-8")
    judge = root / "Sources/MJudge"
    sources = sorted(judge.glob("*.c"))
    compiled(folder / "judge", "-std=c99", f"-I{judge / 'include'}", folder / "engine.c", *sources, "-lm")
    return root


def answered(project: Path, tmp_path: Path, mode: str) -> tuple[int, list[str], device.DeviceFile]:
    recorded = project / "Tests/MModelTests/Resources/vectors.bin"
    command = [project.parent / "judge", recorded, tmp_path / "answers.json", mode]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, done.stdout.splitlines(), device.read(tmp_path / "answers.json")


def test_an_answer_that_agrees_passes_and_is_written_raw_with_words_about_the_device(project: Path, tmp_path: Path) -> None:
    status, lines, file = answered(project, tmp_path, "good")
    assert (status, lines) == (0, ["1 of 1"])
    assert (file.runtime, file.device) == ("tflite-ios", {"name": 'iPhone "1"', "os": "iOS 17"})
    assert file.sha256 == json.loads((project / "crossload.json").read_text("utf-8"))["artifacts"][0]["sha256"]
    assert file.answers[0].outputs[0].array().tolist() == [[1, 1]]


@pytest.mark.parametrize(
    ("mode", "said"),
    [
        ("value", "serve/one: 'y' differs by up to 2 at element 1: 3, the reference's is 1; 1 of 1 decisions change"),
        ("datatype", "serve/one: 'y' another datatype than the reference's"),
        ("shape", "serve/one: 'y' another shape than the reference's"),
        ("error", 'serve/one: no "delegate"'),
        ("reset", "serve/one: no memory"),
        ("rank", "serve/one: an answer has more dimensions than the judge carries"),
        ("negative", "serve/one: an answer has a negative dimension"),
        ("bytes", "serve/one: an answer has other bytes than its shape asks for"),
        ("missing", "serve/one: an answer is missing"),
    ],
)
def test_an_answer_that_does_not_agree_or_is_not_given_fails_with_the_reason(project: Path, tmp_path: Path, mode: str, said: str) -> None:
    status, lines, file = answered(project, tmp_path, mode)
    assert (status, lines) == (1, [said, "0 of 1"])
    (answer,) = file.answers
    assert (answer.error is None) == (mode in ("value", "datatype", "shape"))


def test_recorded_bytes_that_are_cut_are_not_judged(project: Path, tmp_path: Path) -> None:
    status, lines, file = answered(project, tmp_path, "cut")
    assert (status, lines, file.answers) == (8, ["0 of 0"], [])

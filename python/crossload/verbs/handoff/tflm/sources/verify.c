#include "verify.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "answers.h"
#include "config.h"
#include "recorded.h"
#include "runner.h"

typedef struct {
    crossload_print print;
    crossload_answers *report; /* NULL: the answers are judged */
    int passed, failed;
} run;

static crossload_tensor inputs[CROSSLOAD_MOST_TENSORS], wanted[CROSSLOAD_MOST_TENSORS], given[CROSSLOAD_MOST_TENSORS];
static unsigned char answer[CROSSLOAD_ANSWER_BYTES];
static char line[448];

static void say(crossload_print print, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof line, format, arguments);
    va_end(arguments);
    print(line);
}

static crossload_tensor load(const crossload_stored *stored) {
    crossload_tensor made = {stored->name, stored->datatype, stored->rank, {0}, (void *)&crossload_recorded[stored->at], stored->bytes};
    memcpy(made.shape, stored->shape, sizeof made.shape);
    return made;
}

static void judge(run *all, const crossload_suite *suite, const crossload_vector *vector) {
    int good = 1;
    for (size_t o = 0; o < suite->output_count; o++) {
        crossload_judgement found = crossload_judge(&wanted[o], &given[o], &vector->bounds[o]);
        if (found.agreement <= CROSSLOAD_CLOSE) continue;
        say(all->print, "FAIL %s/%s: '%s' %s\n", suite->signature, vector->id, wanted[o].name, found.reason);
        good = 0;
    }
    if (good) all->passed++;
    else all->failed++;
}

static void ask(run *all, crossload_model *model, const crossload_suite *suite, const crossload_vector *vector) {
    size_t used = 0;
    for (size_t at = 0; at < suite->input_count; at++) inputs[at] = load(&vector->inputs[at]);
    for (size_t at = 0; at < suite->output_count; at++) {
        given[at] = wanted[at] = load(&vector->outputs[at]);
        given[at].data = &answer[used];
        used += given[at].bytes;
    }
    int status = crossload_run(model, suite->key, inputs, suite->input_count, given, suite->output_count);
    if (all->report != NULL) {
        crossload_answers_add(all->report, suite, vector->id, given, status == 0 ? NULL : crossload_error(model));
    } else if (status != 0) {
        say(all->print, "FAIL %s/%s: %s\n", suite->signature, vector->id, crossload_error(model));
        all->failed++;
    } else {
        judge(all, suite, vector);
    }
}

static crossload_model *opened(crossload_print print) {
    char error[160];
    crossload_model *model = crossload_open(error, sizeof error);
    if (model == NULL) say(print, "FAIL: %s\n", error);
    return model;
}

static int ask_all(run *all, crossload_model *model) {
    for (size_t at = 0; at < crossload_suite_count; at++) {
        const crossload_suite *suite = &crossload_suites[at];
        if (crossload_reset(model) != 0) { /* what one signature leaves in a variable is not the next one's */
            say(all->print, "FAIL: %s\n", crossload_error(model));
            return 2;
        }
        for (size_t v = 0; v < suite->vector_count; v++) ask(all, model, suite, &suite->vectors[v]);
    }
    return all->failed > 0;
}

int crossload_verify(crossload_print print) {
    run all = {print, NULL, 0, 0};
    crossload_model *model = opened(print);
    if (model == NULL) return 2;
    int status = ask_all(&all, model);
    say(print, "arena: %lu of %lu bytes in use\n", (unsigned long)crossload_arena_used(model), (unsigned long)CROSSLOAD_ARENA_BYTES);
    say(print, "%s: %d of %d vectors agree\n", status == 0 ? "PASS" : "FAIL", all.passed, all.passed + all.failed);
    return status;
}

static void to_print(void *to, const char *text) {
    ((run *)to)->print(text);
}

int crossload_print_answers(crossload_print print, const char *device) {
    run all = {print, NULL, 0, 0};
    crossload_answers report = {to_print, &all, 0};
    crossload_model *model = opened(print);
    if (model == NULL) return 2;
    const char *const board[] = {"name", device, NULL};
    all.report = &report;
    crossload_answers_begin(&report, "tflite-micro-c", device != NULL ? board : NULL);
    int status = ask_all(&all, model);
    crossload_answers_end(&report);
    return status;
}

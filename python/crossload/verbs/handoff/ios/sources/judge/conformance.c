#include "conformance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "judge.h"
#include "vectors.h"

typedef struct {
    const crossload_engine *engine;
    const unsigned char *recorded;
    size_t bytes;
    crossload_answers report;
    crossload_count_of_answers found;
} run;

static int load(const run *all, const crossload_stored *stored, crossload_tensor *tensor) {
    if (stored->at > all->bytes || stored->bytes > all->bytes - stored->at) return -1;
    tensor->name = stored->name;
    tensor->datatype = stored->datatype;
    tensor->rank = stored->rank;
    memcpy(tensor->shape, stored->shape, sizeof tensor->shape);
    tensor->bytes = stored->bytes;
    tensor->data = (void *)&all->recorded[stored->at]; /* nobody writes there */
    return 0;
}

static void fail(run *all, const crossload_suite *suite, const crossload_vector *vector, const char *error) {
    char line[640];
    snprintf(line, sizeof line, "%.128s/%.64s: %s", suite->signature, vector->id, error);
    all->engine->print(all->engine->context, line);
    crossload_answers_add(&all->report, suite, vector->id, NULL, error);
    all->found.failed++;
}

static void judge(run *all, const crossload_suite *suite, const crossload_vector *vector, const crossload_tensor *wanted, const crossload_tensor *given) {
    char line[640];
    int good = 1;
    for (size_t o = 0; o < suite->output_count; o++) {
        crossload_judgement judgement = crossload_judge(&wanted[o], &given[o], &vector->bounds[o]);
        if (judgement.agreement <= CROSSLOAD_CLOSE) continue;
        snprintf(line, sizeof line, "%.128s/%.64s: '%.128s' %s", suite->signature, vector->id, wanted[o].name, judgement.reason);
        all->engine->print(all->engine->context, line);
        good = 0;
    }
    crossload_answers_add(&all->report, suite, vector->id, given, NULL);
    if (good) all->found.passed++;
    else all->found.failed++;
}

/* Why an answer cannot be judged: an engine that states more bytes or dimensions than it gives would have others read. */
static const char *fault_of(const crossload_tensor *tensors, size_t count) {
    for (size_t at = 0; at < count; at++) {
        if (tensors[at].rank < 0 || tensors[at].rank > CROSSLOAD_RANK) return "an answer has more dimensions than the judge carries";
        for (int d = 0; d < tensors[at].rank; d++)
            if (tensors[at].shape[d] < 0) return "an answer has a negative dimension";
        if (tensors[at].bytes != crossload_count(&tensors[at]) * crossload_size(tensors[at].datatype)) return "an answer has other bytes than its shape asks for";
        if (tensors[at].data == NULL && tensors[at].bytes > 0) return "an answer is missing";
    }
    return NULL;
}

/* Returns -1 if a recorded tensor lies outside the recorded bytes. */
static int ask(run *all, const crossload_suite *suite, const crossload_vector *vector, const char *reset) {
    crossload_tensor *inputs = calloc(suite->input_count + 1, sizeof *inputs), *wanted = calloc(suite->output_count + 1, sizeof *wanted),
                     *given = calloc(suite->output_count + 1, sizeof *given);
    char error[384] = "";
    int read = inputs != NULL && wanted != NULL && given != NULL ? 0 : -1;
    for (size_t at = 0; read == 0 && at < suite->input_count; at++) read = load(all, &vector->inputs[at], &inputs[at]);
    for (size_t at = 0; read == 0 && at < suite->output_count; at++) {
        read = load(all, &vector->outputs[at], &wanted[at]);
        given[at].name = wanted[at].name;
    }
    if (read == 0 && reset != NULL) {
        fail(all, suite, vector, reset);
    } else if (read == 0) {
        int status = all->engine->run(all->engine->context, suite->key, inputs, suite->input_count, given, suite->output_count, error, sizeof error);
        const char *fault = status != 0 ? error : fault_of(given, suite->output_count);
        if (fault != NULL) fail(all, suite, vector, fault);
        else judge(all, suite, vector, wanted, given);
    }
    free(inputs);
    free(wanted);
    free(given);
    return read;
}

int crossload_conformance(const crossload_engine *engine, const void *recorded, size_t bytes, const char *runtime,
                          const char *const *device, crossload_count_of_answers *found) {
    run all = {engine, recorded, bytes, {engine->write, engine->context, 0}, {0, 0}};
    char error[384] = "";
    int status = 0;
    crossload_answers_begin(&all.report, runtime, device);
    for (size_t at = 0; status == 0 && at < crossload_suite_count; at++) {
        const crossload_suite *suite = &crossload_suites[at];
        /* What one signature leaves in a variable is not the next one's. */
        int reset = engine->reset(engine->context, error, sizeof error);
        for (size_t v = 0; status == 0 && v < suite->vector_count; v++) status = ask(&all, suite, &suite->vectors[v], reset != 0 ? error : NULL);
    }
    crossload_answers_end(&all.report);
    *found = all.found;
    return status;
}

/* Asks the model every recorded request, judges each answer, and prints PASS or FAIL.
 *
 * Exit status: 0 all answers agree, 1 some do not, 2 something cannot be read. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "answers.h"
#include "runner.h"

typedef struct {
    FILE *recorded;
    crossload_answers *report; /* NULL: none is wanted */
    int verbose, passed, failed;
} run;

static int load(FILE *recorded, const crossload_stored *stored, crossload_tensor *tensor) {
    tensor->name = stored->name;
    tensor->datatype = stored->datatype;
    tensor->rank = stored->rank;
    memcpy(tensor->shape, stored->shape, sizeof tensor->shape);
    tensor->bytes = stored->bytes;
    tensor->data = malloc(stored->bytes + 1);
    if (tensor->data == NULL) return -1;
    if (fseek(recorded, (long)stored->at, SEEK_SET) != 0) return -1;
    return fread(tensor->data, 1, stored->bytes, recorded) == stored->bytes ? 0 : -1;
}

static void release(crossload_tensor *tensors, size_t count) {
    for (size_t at = 0; tensors != NULL && at < count; at++) free(tensors[at].data);
    free(tensors);
}

static void to_file(void *to, const char *text) {
    fputs(text, to);
}

static void judge(run *all, const crossload_suite *suite, const crossload_vector *vector, const crossload_tensor *wanted, const crossload_tensor *given) {
    int good = 1;
    for (size_t o = 0; o < suite->output_count; o++) {
        crossload_judgement found = crossload_judge(&wanted[o], &given[o], &vector->bounds[o]);
        int passes = found.agreement <= CROSSLOAD_CLOSE;
        if (!passes) printf("FAIL %s/%s: '%s' %s\n", suite->signature, vector->id, wanted[o].name, found.reason);
        else if (all->verbose) printf("pass %s/%s: '%s' %s\n", suite->signature, vector->id, wanted[o].name, crossload_agreement_name(found.agreement));
        good = good && passes;
    }
    if (good) all->passed++;
    else all->failed++;
}

/* Returns -1 if a recorded tensor cannot be read. */
static int ask(run *all, crossload_model *model, const crossload_suite *suite, const crossload_vector *vector) {
    crossload_tensor *inputs = calloc(suite->input_count + 1, sizeof *inputs), *wanted = calloc(suite->output_count + 1, sizeof *wanted),
                     *given = calloc(suite->output_count + 1, sizeof *given);
    int read = inputs != NULL && wanted != NULL && given != NULL ? 0 : -1;
    for (size_t at = 0; read == 0 && at < suite->input_count; at++) read = load(all->recorded, &vector->inputs[at], &inputs[at]);
    for (size_t at = 0; read == 0 && at < suite->output_count; at++) {
        read = load(all->recorded, &vector->outputs[at], &wanted[at]);
        given[at] = wanted[at];
        given[at].data = calloc(1, wanted[at].bytes + 1);
        if (given[at].data == NULL) read = -1;
    }
    if (read == 0 && crossload_run(model, suite->key, inputs, suite->input_count, given, suite->output_count) != 0) {
        printf("FAIL %s/%s: %s\n", suite->signature, vector->id, crossload_error(model));
        if (all->report != NULL) crossload_answers_add(all->report, suite, vector->id, NULL, crossload_error(model));
        all->failed++;
    } else if (read == 0) {
        if (all->report != NULL) crossload_answers_add(all->report, suite, vector->id, given, NULL);
        judge(all, suite, vector, wanted, given);
    }
    release(inputs, suite->input_count);
    release(wanted, suite->output_count);
    release(given, suite->output_count);
    return read;
}

static int usage(const char *program) {
    fprintf(stderr, "usage: %s [--model FILE] [--vectors FILE] [--json FILE] [--device NAME] [--verbose]\n", program);
    return 2;
}

int main(int count, char **words) {
    const char *path = crossload_file, *recorded = "vectors.bin", *json = NULL, *device = NULL;
    char error[512];
    crossload_answers report = {to_file, NULL, 0};
    run all = {NULL, NULL, 0, 0, 0};
    for (int at = 1; at < count; at++) {
        if (strcmp(words[at], "--verbose") == 0) all.verbose = 1;
        else if (at + 1 < count && strcmp(words[at], "--model") == 0) path = words[++at];
        else if (at + 1 < count && strcmp(words[at], "--vectors") == 0) recorded = words[++at];
        else if (at + 1 < count && strcmp(words[at], "--json") == 0) json = words[++at];
        else if (at + 1 < count && strcmp(words[at], "--device") == 0) device = words[++at];
        else return usage(words[0]);
    }
    crossload_model *model = crossload_open(path, error, sizeof error);
    if (model == NULL) return fprintf(stderr, "%s\n", error), 2;
    int status = 0;
    if ((all.recorded = fopen(recorded, "rb")) == NULL) {
        fprintf(stderr, "%s cannot be read; run this in the project's folder, or name it: --vectors FILE\n", recorded);
        status = 2;
    } else if (json != NULL && (report.to = fopen(json, "w")) == NULL) {
        fprintf(stderr, "%s cannot be written\n", json);
        status = 2;
    } else if (json != NULL) {
        const char *const board[] = {"name", device, NULL};
        all.report = &report;
        crossload_answers_begin(all.report, "litert-c", device != NULL ? board : NULL);
    }
    for (size_t at = 0; status == 0 && at < crossload_suite_count; at++) {
        const crossload_suite *suite = &crossload_suites[at];
        if (crossload_reset(model) != 0) { /* what one signature leaves in a variable is not the next one's */
            fprintf(stderr, "%s\n", crossload_error(model));
            status = 2;
        }
        for (size_t v = 0; status == 0 && v < suite->vector_count; v++) {
            if (ask(&all, model, suite, &suite->vectors[v]) != 0) {
                fprintf(stderr, "%s does not hold %s/%s; hand the bundle over again\n", recorded, suite->signature, suite->vectors[v].id);
                status = 2;
            }
        }
    }
    if (all.report != NULL) {
        crossload_answers_end(all.report);
        if (fclose(report.to) != 0) status = 2;
    }
    if (all.recorded != NULL) fclose(all.recorded);
    crossload_close(model);
    if (status != 0) return status;
    printf("%s: %d of %d vectors agree\n", all.failed > 0 ? "FAIL" : "PASS", all.passed, all.passed + all.failed);
    return all.failed > 0;
}

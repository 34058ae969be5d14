/* A .tflite file in LiteRT: open it, call its signatures, close it. One thread at a time may use a model. */
#ifndef CROSSLOAD_RUNNER_H
#define CROSSLOAD_RUNNER_H

#include "tensors.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct crossload_model crossload_model;

/* Opens the file, or returns NULL and writes the reason into `error`. Close it with crossload_close. */
crossload_model *crossload_open(const char *path, char *error, size_t room);

void crossload_close(crossload_model *model);

/* Forgets what a model with variables keeps from call to call. Returns 0, or -1 with the reason in crossload_error. */
int crossload_reset(crossload_model *model);

/* Calls the signature `key`. `inputs` and `outputs` are all of its inputs and outputs, in any order; each output has room for its answer,
 * and gets its shape and its bytes. Returns 0, or -1 with the reason in crossload_error. */
int crossload_run(crossload_model *model, const char *key, const crossload_tensor *inputs, size_t input_count, crossload_tensor *outputs, size_t output_count);

enum { CROSSLOAD_TENSORS = 64 }; /* the most inputs, and the most outputs, of a signature */

/* The inputs or the outputs of a signature as the file has them: names, datatypes, shapes (-1: free), and their indices in the file. */
typedef struct {
    size_t count;
    crossload_tensor tensors[CROSSLOAD_TENSORS];
    uint32_t indices[CROSSLOAD_TENSORS];
} crossload_side;

/* For a caller that does not know the model. Returns 0, or -1 with the reason in crossload_error. */
int crossload_describe(crossload_model *model, const char *key, crossload_side *inputs, crossload_side *outputs);

/* Gives each output of `key` the shape and the bytes to which inputs of these shapes lead. The tensors are in the order of
 * crossload_describe. Returns 0, or -1 with the reason in crossload_error. */
int crossload_measure(crossload_model *model, const char *key, const crossload_side *inputs, crossload_side *outputs);

/* Why the last call failed. */
const char *crossload_error(const crossload_model *model);

#ifdef __cplusplus
}
#endif

#endif

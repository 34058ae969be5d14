/* The model in TensorFlow Lite Micro: prepare it, call its signatures. Static memory alone; one call at a time. */
#ifndef CROSSLOAD_RUNNER_H
#define CROSSLOAD_RUNNER_H

#include "tensors.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct crossload_model crossload_model;

/* The one model, ready to be called; or NULL, and the reason in `error`. */
crossload_model *crossload_open(char *error, size_t room);

/* Forgets what a model with variables keeps from call to call. Returns 0, or -1 with the reason in crossload_error. */
int crossload_reset(crossload_model *model);

/* Calls the signature `key`. `inputs` and `outputs` are all of its inputs and outputs, in any order; each output has room for its answer,
 * and gets its shape and its bytes. Returns 0, or -1 with the reason in crossload_error. */
int crossload_run(crossload_model *model, const char *key, const crossload_tensor *inputs, size_t input_count, crossload_tensor *outputs, size_t output_count);

/* The bytes of the arena that are in use, of CROSSLOAD_ARENA_BYTES (config.h). */
size_t crossload_arena_used(const crossload_model *model);

/* Why the last call failed. */
const char *crossload_error(const crossload_model *model);

#ifdef __cplusplus
}
#endif

#endif

/* Asks an engine every recorded request, judges each answer, and writes the raw answers as JSON. */
#ifndef CROSSLOAD_CONFORMANCE_H
#define CROSSLOAD_CONFORMANCE_H

#include "tensors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What runs the model: functions of yours, whose first argument is `context`. Those that return an int return 0, or -1 with the reason in
 * `error`, which has `room` bytes. */
typedef struct {
    void *context;
    /* Forgets what the model keeps from call to call. */
    int (*reset)(void *context, char *error, size_t room);
    /* Calls the signature `key`. Each output has its name; it gets a datatype, a rank, a shape, bytes and data. The data are the engine's,
     * and stay until its next call. */
    int (*run)(void *context, const char *key, const crossload_tensor *inputs, size_t input_count, crossload_tensor *outputs,
               size_t output_count, char *error, size_t room);
    /* Takes a line about an answer that does not agree. */
    void (*print)(void *context, const char *line);
    /* Takes a piece of the JSON. */
    void (*write)(void *context, const char *text);
} crossload_engine;

typedef struct {
    size_t passed, failed;
} crossload_count_of_answers;

/* `recorded` are the bytes of vectors.bin, `device` words about the device: a name and a value in turn, and NULL behind them.
 * An answer that the engine does not give is a failed one. Returns 0, or -1 if the recorded bytes are not those that were handed over. */
int crossload_conformance(const crossload_engine *engine, const void *recorded, size_t bytes, const char *runtime,
                          const char *const *device, crossload_count_of_answers *found);

#ifdef __cplusplus
}
#endif

#endif

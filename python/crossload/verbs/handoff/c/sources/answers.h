/* The raw answers as JSON, without verdicts: `crossload verify BUNDLE --from FILE` judges them. */
#ifndef CROSSLOAD_ANSWERS_H
#define CROSSLOAD_ANSWERS_H

#include "vectors.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Where the text goes, in pieces of at most 80 bytes or one name. */
typedef struct {
    void (*write)(void *to, const char *text);
    void *to;
    size_t count; /* answers so far */
} crossload_answers;

/* `device` is words about the board, a name and a value in turn, and NULL behind them: {"name", "Pi 5", NULL}. It may be NULL. */
void crossload_answers_begin(crossload_answers *answers, const char *runtime, const char *const *device);

/* One answer: `outputs`, or the `error` that the runtime met. */
void crossload_answers_add(crossload_answers *answers, const crossload_suite *suite, const char *id, const crossload_tensor *outputs, const char *error);

void crossload_answers_end(crossload_answers *answers);

#ifdef __cplusplus
}
#endif

#endif

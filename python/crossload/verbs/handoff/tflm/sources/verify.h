/* Asks the model every recorded request. Text goes to a function of yours, such as one that writes to a serial line. */
#ifndef CROSSLOAD_VERIFY_H
#define CROSSLOAD_VERIFY_H

#ifdef __cplusplus
extern "C" {
#endif

typedef void (*crossload_print)(const char *text);

/* Judges each answer, and prints what fails, the arena in use, and PASS or FAIL. Returns 0: all agree, 1: some do not, 2: the model cannot
 * be prepared. */
int crossload_verify(crossload_print print);

/* Prints the raw answers as JSON, which `crossload verify BUNDLE --from FILE` judges; `device` names the board, or is NULL. Returns 0, or 2
 * if the model cannot be prepared. */
int crossload_print_answers(crossload_print print, const char *device);

#ifdef __cplusplus
}
#endif

#endif

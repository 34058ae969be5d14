/* The judge on a desktop: exit status 0 all answers agree, 1 some do not, 2 the model cannot be prepared. */
#include <stdio.h>
#include <string.h>

#include "../src/verify.h"

static void print(const char *text) {
    fputs(text, stdout);
}

int main(int count, char **words) {
    if (count == 1) return crossload_verify(print);
    if (strcmp(words[1], "--answers") == 0) return crossload_print_answers(print, count > 2 ? words[2] : NULL);
    fprintf(stderr, "usage: %s [--answers [DEVICE]]\n", words[0]);
    return 2;
}

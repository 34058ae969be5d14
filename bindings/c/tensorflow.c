/* Opens TensorFlow's C library when the program runs: it compiles, and links, without TensorFlow. */
#define _POSIX_C_SOURCE 200809L

#include "tensorflow.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef __APPLE__
#define SUFFIX "2.dylib"
#else
#define SUFFIX "so.2"
#endif

struct tensorflow tf;
TF_Status *status;

void open_tensorflow(const char *folder)
{
    /* The second library needs symbols of the first, hence the order and RTLD_GLOBAL. */
    static const char *const libraries[] = {"libtensorflow_framework." SUFFIX, "libtensorflow_cc." SUFFIX};
    void *library = NULL;
    for (size_t i = 0; i < 2; i++) {
        char path[4096];
        if (snprintf(path, sizeof path, "%s/%s", folder, libraries[i]) >= (int)sizeof path) {
            fprintf(stderr, "tensorflow-c worker: the path of %s is longer than %zu bytes\n", libraries[i],
                    sizeof path);
            exit(1);
        }
        library = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
        if (library == NULL) {
            fprintf(stderr,
                    "tensorflow-c worker: TensorFlow's C library cannot be opened (%s); name the wheel's folder "
                    "tensorflow\n",
                    dlerror());
            exit(1);
        }
    }
    static const struct {
        const char *name;
        size_t offset;
    } functions[] = {
#define ROW(result, name, arguments) {#name, offsetof(struct tensorflow, name)},
        TENSORFLOW_FUNCTIONS(ROW)
#undef ROW
    };
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        void *found = dlsym(library, functions[i].name);
        if (found == NULL) {
            fprintf(stderr, "tensorflow-c worker: %s holds a C API without %s; use another release of TensorFlow\n",
                    folder, functions[i].name);
            exit(1);
        }
        memcpy((char *)&tf + functions[i].offset, &found,
               sizeof found); /* C has no cast from data to function pointers */
    }
    status = tf.TF_NewStatus();
}

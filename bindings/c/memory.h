/* Memory that is given back all at once: what one request, or one loaded model, needs beside its tensors. */
#ifndef CROSSLOAD_MEMORY_H
#define CROSSLOAD_MEMORY_H

#include <stdbool.h>
#include <stddef.h>

struct arena {
    struct block *blocks;
};

/* Characters with their length; they may contain NUL. The character after them is NUL where they come from an arena. */
struct text {
    const char *data;
    size_t size;
};

/* A growing sequence of characters. `data` is to be freed by its owner. */
struct buffer {
    char *data;
    size_t size, room;
};

/* Memory of zeros, aligned for any type. Ends the process with a sentence where there is none. */
void *take(struct arena *arena, size_t count, size_t size);

/* A copy that ends with NUL. */
struct text keep(struct arena *arena, struct text text);

/* Give back all memory that was taken. */
void release(struct arena *arena);

/* End the process with a sentence. */
_Noreturn void out_of_memory(void);

void append(struct buffer *buffer, const void *data, size_t size);

struct text text_of(const char *string);

bool same(struct text a, struct text b);

#endif

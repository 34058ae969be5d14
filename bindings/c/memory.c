/* Memory that is given back all at once: a list of blocks. */
#include "memory.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct block {
    struct block *next;
    size_t used, room;
    max_align_t memory[];
};

void out_of_memory(void)
{
    fputs("tensorflow-c worker: there is not enough memory\n", stderr);
    exit(1);
}

static void *checked(void *memory)
{
    if (memory == NULL)
        out_of_memory();
    return memory;
}

void *take(struct arena *arena, size_t count, size_t size)
{
    const size_t unit = sizeof(max_align_t);
    if (count != 0 && size > (SIZE_MAX / 4) / count)
        out_of_memory();
    size_t wanted = (count * size + unit - 1) / unit * unit;
    struct block *block = arena->blocks;
    if (block == NULL || block->room - block->used < wanted) {
        size_t room = wanted > 16384 ? wanted : 16384;
        block = checked(malloc(sizeof *block + room));
        *block = (struct block){.next = arena->blocks, .room = room};
        arena->blocks = block;
    }
    void *memory = (char *)block->memory + block->used;
    block->used += wanted;
    return memset(memory, 0, wanted);
}

struct text keep(struct arena *arena, struct text text)
{
    char *copy = take(arena, text.size + 1, 1);
    if (text.size)
        memcpy(copy, text.data, text.size);
    return (struct text){copy, text.size};
}

void release(struct arena *arena)
{
    while (arena->blocks != NULL) {
        struct block *block = arena->blocks;
        arena->blocks = block->next;
        free(block);
    }
}

void append(struct buffer *buffer, const void *data, size_t size)
{
    if (buffer->room - buffer->size < size) {
        if (size > SIZE_MAX / 4 - buffer->size)
            out_of_memory();
        buffer->room = 2 * (buffer->size + size);
        buffer->data = checked(realloc(buffer->data, buffer->room));
    }
    if (size)
        memcpy(buffer->data + buffer->size, data, size);
    buffer->size += size;
}

struct text text_of(const char *string)
{
    return (struct text){string, strlen(string)};
}

bool same(struct text a, struct text b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.data, b.data, a.size) == 0);
}

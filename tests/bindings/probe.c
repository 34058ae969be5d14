/* Gives tests of bindings/c what its readers make of bytes: `probe json`,
 * `probe frames` or `probe graph`, without TensorFlow. */
#include "frames.h"
#include "messages.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

const char worker_name[] = "probe";

/* What TensorFlow does for frames, with memory alone. */
struct TF_Tensor {
    void *data;
};

char *tensor_memory(struct frame *frame, struct tensor *tensor)
{
    (void)frame;
    if (element_count(tensor) < 0)
        return NULL;
    tensor->held = malloc(sizeof *tensor->held);
    tensor->held->data = tensor->size <= (size_t)1 << 40 ? malloc(tensor->size) : NULL;
    return tensor->held->data;
}

void delete_held(TF_Tensor *held)
{
    free(held->data);
    free(held);
}

/* A value as JSON, numbers that are no 64-bit integers as "#". */
static void dump(struct buffer *out, const struct json *value)
{
    static const char *const words[] = {"null", "false", "true"};
    char number[32];
    const char *brackets = value->kind == JSON_ARRAY ? "[]" : "{}";
    switch (value->kind) {
    case JSON_INTEGER:
        append(out, number, (size_t)snprintf(number, sizeof number, "%" PRId64, value->integer));
        break;
    case JSON_NUMBER:
        append(out, "\"#\"", 3);
        break;
    case JSON_STRING:
        json_write(out, value->string);
        break;
    case JSON_ARRAY:
    case JSON_OBJECT:
        append(out, brackets, 1);
        for (const struct json *child = value->first; child != NULL; child = child->next) {
            if (value->kind == JSON_OBJECT) {
                json_write(out, child->name);
                append(out, ":", 1);
            }
            dump(out, child);
            append(out, ",", child->next ? 1 : 0);
        }
        append(out, brackets + 1, 1);
        break;
    default:
        append(out, words[value->kind], strlen(words[value->kind]));
    }
}

/* The JSON value of the text; without one, the reason, after a minus. */
static void answer_json(struct buffer *out, char *text, size_t size)
{
    struct arena arena = {0};
    const char *why = "";
    const struct json *value = json_read(text, size, &arena, &why);
    if (value != NULL) {
        dump(out, value);
    } else {
        append(out, "-", 1);
        append(out, why, strlen(why));
    }
    release(&arena);
}

/* The GraphDef without devices; a minus for bytes that are none. */
static void answer_graph(struct buffer *out, char *text, size_t size)
{
    struct text kind;
    if (!free_from_devices((struct text){text, size}, out, &kind)) {
        out->size = 0;
        append(out, "-", 1);
    }
}

/* Each text of standard input, after its length in eight bytes of this machine,
 * is answered in the same form. */
static void answer_each(void (*answer)(struct buffer *, char *, size_t))
{
    for (uint64_t size; fread(&size, sizeof size, 1, stdin) == 1;) {
        char *text = malloc(size); /* no byte more, so that reading beyond it is noticed */
        if (size > 0 && fread(text, 1, size, stdin) != size)
            exit(2);
        struct buffer out = {0};
        answer(&out, text, size);
        uint64_t length = out.size;
        fwrite(&length, sizeof length, 1, stdout);
        fwrite(out.data, 1, out.size, stdout);
        fflush(stdout);
        free(out.data);
        free(text);
    }
}

/* Each frame of standard input with its inputs, and whether the strings of each
 * fill its bytes. */
static void answer_frames(void)
{
    for (struct frame frame; read_frame(stdin, &frame);) {
        struct buffer header = {0};
        append(&header, "{\"header\":", 10);
        dump(&header, frame.header);
        append(&header, ",\"whole\":[", 10);
        for (size_t i = 0, strings; i < frame.count; i++) {
            append(&header, ",", i ? 1 : 0);
            append(&header, strings_are_whole(&frame.inputs[i], &strings) ? "1" : "0", 1);
        }
        append(&header, "],\"outputs\":[", 13);
        for (size_t i = 0; i < frame.count; i++) {
            append(&header, ",", i ? 1 : 0);
            write_entry(&header, &frame.inputs[i]);
        }
        append(&header, "]}", 2);
        write_frame(stdout, (struct text){header.data, header.size}, frame.inputs, frame.count);
        free(header.data);
        release_frame(&frame);
    }
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "json") == 0)
        answer_each(answer_json);
    else if (argc == 2 && strcmp(argv[1], "graph") == 0)
        answer_each(answer_graph);
    else
        answer_frames();
    return 0;
}

/* A crossload worker in C: SavedModels and GraphDefs in TensorFlow's C API, by the worker protocol
 * (bindings/contract/README.md).
 *
 *     gcc -O2 -o tensorflow_worker *.c -ldl
 *     ./tensorflow_worker /path/to/site-packages/tensorflow
 */
#define _POSIX_C_SOURCE 200809L

#include "model.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* A loaded model and the name that requests call it by. */
struct loaded {
    struct loaded *next;
    struct text name;
    struct model *model;
    struct arena arena;
};

static struct loaded *models;

static void append_format(struct buffer *header, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void append_format(struct buffer *header, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    append(header, text, (size_t)written < sizeof text ? (size_t)written : sizeof text - 1);
}

static void write_member(struct buffer *header, const char *name, struct text value)
{
    append_format(header, ",\"%s\":", name);
    json_write(header, value);
}

static struct text model_name(const struct frame *request)
{
    return json_string(json_member(request->header, "model_name"));
}

/* Where the model of this name is linked; the end of the list if it is not loaded. */
static struct loaded **find(struct text name)
{
    struct loaded **at = &models;
    while (*at != NULL && !same((*at)->name, name))
        at = &(*at)->next;
    return at;
}

static void unload(struct loaded **at)
{
    struct loaded *loaded = *at;
    if (loaded == NULL)
        return;
    *at = loaded->next;
    delete_model(loaded->model);
    release(&loaded->arena);
    free(loaded);
}

static bool not_loaded(struct text name, struct refusal *refusal)
{
    return refuse(refusal, "NOT_FOUND", "no model '%.*s' is loaded", (int)name.size, name.data ? name.data : "");
}

static bool server_metadata(struct buffer *header)
{
    struct utsname host = {0};
    uname(&host);
    for (char *c = host.sysname; *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    write_member(header, "name", text_of("tensorflow-c"));
    write_member(header, "version", text_of(tf.TF_Version()));
    append_format(
        header,
        ",\"extensions\":[\"binary_tensor_data\"],\"formats\":[\"saved_model\",\"graph_def\"],\"parameters\":{");
    append_format(header, "\"language\":\"C (%s)\",\"api\":\"C\",\"threads\":%ld", __VERSION__,
                  sysconf(_SC_NPROCESSORS_ONLN));
    append_format(header, ",\"native\":\"TensorFlow %s\"", tf.TF_Version());
    write_member(header, "os", text_of(host.sysname));
    write_member(header, "arch", text_of(host.machine));
    append_format(header, "}");
    return true;
}

static bool load(const struct frame *request, struct buffer *header, struct refusal *refusal)
{
    struct text name = model_name(request);
    unload(find(name)); /* the old one's memory is freed before the new one needs it */
    struct model *model = load_model(json_member(request->header, "parameters"), refusal);
    if (model == NULL)
        return false;
    struct loaded *loaded = malloc(sizeof *loaded);
    if (loaded == NULL)
        out_of_memory();
    *loaded = (struct loaded){.next = models, .model = model};
    loaded->name = keep(&loaded->arena, name);
    models = loaded;
    write_member(header, "name", name);
    return true;
}

static bool infer(struct frame *request, struct buffer *header, struct answer *answer, struct refusal *refusal)
{
    struct text name = model_name(request);
    struct loaded *loaded = *find(name);
    if (loaded == NULL)
        return not_loaded(name, refusal);
    if (!run_model(loaded->model, request, answer, refusal))
        return false;
    write_member(header, "model_name", name);
    append_format(header, ",\"parameters\":{\"nanoseconds\":%" PRId64 "}", answer->nanoseconds);
    return true;
}

/* The inputs as they came. */
static bool echo(struct frame *request, struct answer *answer, struct refusal *refusal)
{
    size_t strings;
    for (size_t i = 0; i < request->count; i++)
        if (!strings_are_whole(&request->inputs[i], &strings))
            return refuse(refusal, "INVALID_ARGUMENT", "input '%.*s': a BYTES tensor ends inside an element",
                          (int)request->inputs[i].name.size, request->inputs[i].name.data);
    answer->outputs = take(&request->arena, request->count, sizeof *answer->outputs);
    answer->count = request->count;
    for (size_t i = 0; i < request->count; i++) {
        answer->outputs[i] = request->inputs[i];
        answer->outputs[i].held = NULL; /* the request deletes it */
    }
    return true;
}

/* A serialised tensorflow.OpList, as a string tensor. */
static bool registered_ops(struct frame *request, struct answer *answer)
{
    TF_Buffer *list = tf.TF_GetAllOpList();
    char *packed = take(&request->arena, list->length + 4, 1);
    for (int byte = 0; byte < 4; byte++)
        packed[byte] = (char)(list->length >> (8 * byte));
    memcpy(packed + 4, list->data, list->length);
    struct tensor *ops = take(&request->arena, 1, sizeof *ops);
    *ops = (struct tensor){text_of("op_list"),
                           datatype_of(TF_STRING),
                           1,
                           take(&request->arena, 1, sizeof *ops->shape),
                           list->length + 4,
                           packed,
                           NULL};
    ops->shape[0] = 1;
    answer->outputs = ops;
    answer->count = 1;
    tf.TF_DeleteBuffer(list);
    return true;
}

static bool dispatch(struct frame *request, struct buffer *header, struct answer *answer, struct refusal *refusal)
{
    struct text rpc = json_string(json_member(request->header, "rpc"));
    if (same(rpc, text_of("ModelInfer")))
        return infer(request, header, answer, refusal);
    if (same(rpc, text_of("Echo")))
        return echo(request, answer, refusal);
    if (same(rpc, text_of("RepositoryModelLoad")))
        return load(request, header, refusal);
    if (same(rpc, text_of("RepositoryModelUnload"))) {
        struct loaded **loaded = find(model_name(request));
        bool known = *loaded != NULL || not_loaded(model_name(request), refusal);
        unload(loaded);
        return known;
    }
    if (same(rpc, text_of("ServerMetadata")))
        return server_metadata(header);
    if (same(rpc, text_of("RegisteredOps")))
        return registered_ops(request, answer);
    return refuse(refusal, "UNIMPLEMENTED", "tensorflow-c does not answer '%.*s'", (int)rpc.size,
                  rpc.data ? rpc.data : "");
}

static void respond(FILE *target, struct frame *request)
{
    struct buffer header = {0};
    struct answer answer = {0};
    struct refusal refusal = {0};
    append(&header, "{\"id\":", 6);
    json_write(&header, json_string(json_member(request->header, "id")));
    size_t start = header.size;
    if (dispatch(request, &header, &answer, &refusal)) {
        for (size_t i = 0; i < answer.count; i++) {
            append_format(&header, "%s", i ? "," : ",\"outputs\":[");
            write_entry(&header, &answer.outputs[i]);
        }
        append_format(&header, "%s", answer.count ? "]}" : "}");
        write_frame(target, (struct text){header.data, header.size}, answer.outputs, answer.count);
    } else {
        header.size = start;
        write_member(&header, "error", text_of(refusal.sentence));
        write_member(&header, "code", text_of(refusal.code));
        append_format(&header, "}");
        write_frame(target, (struct text){header.data, header.size}, NULL, 0);
    }
    release_tensors(answer.outputs, answer.count);
    free(header.data);
}

/* Standard output belongs to the protocol: whatever TensorFlow prints goes to standard error. Before any library is
 * opened. */
static void own_streams(FILE **source, FILE **target)
{
    *source = fdopen(dup(STDIN_FILENO), "rb");
    *target = fdopen(dup(STDOUT_FILENO), "wb");
    int nothing = open("/dev/null", O_RDONLY);
    if (*source == NULL || *target == NULL || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        fputs("tensorflow-c worker: standard input or output cannot be used\n", stderr);
        exit(1);
    }
    close(nothing);
    signal(SIGPIPE, SIG_IGN); /* writing fails instead, and says so */
}

int main(int argc, char **argv)
{
    FILE *source, *target;
    if (argc != 2) {
        fputs(
            "usage: tensorflow_worker FOLDER, the folder tensorflow of TensorFlow's wheel (site-packages/tensorflow)\n",
            stderr);
        return 2;
    }
    own_streams(&source, &target);
    setenv("TF_CPP_MIN_LOG_LEVEL", "1", 0);
    open_tensorflow(argv[1]);
    for (struct frame request; read_frame(source, &request);) {
        respond(target, &request);
        release_frame(&request);
    }
    while (models != NULL)
        unload(&models);
    fclose(source);
    fclose(target);
    return 0;
}

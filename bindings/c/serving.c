/* The requests of the worker protocol, whatever runs the models. */
#define _POSIX_C_SOURCE 200809L

#include "serving.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

/* A loaded model and the name that requests call it by. */
struct loaded {
    struct loaded *next;
    struct text name;
    void *model;
    struct arena arena;
};

static struct loaded *models;
static FILE *source, *target;

void append_format(struct buffer *header, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    append(header, text, (size_t)written < sizeof text ? (size_t)written : sizeof text - 1);
}

void write_member(struct buffer *header, const char *name, struct text value)
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
    worker_unload(loaded->model);
    release(&loaded->arena);
    free(loaded);
}

static bool not_loaded(struct text name, struct refusal *refusal)
{
    return refuse(refusal, "NOT_FOUND", "no model '%.*s' is loaded", (int)name.size, name.data ? name.data : "");
}

bool refuse(struct refusal *refusal, const char *code, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(refusal->sentence, sizeof refusal->sentence, format, arguments);
    va_end(arguments);
    refusal->code = code;
    return false;
}

void write_host(struct buffer *header)
{
    struct utsname host = {0};
    uname(&host);
    for (char *c = host.sysname; *c != '\0'; c++)
        *c = (char)(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c);
    append_format(header, "\"language\":\"C (%s)\",\"api\":\"C\",\"threads\":%ld", __VERSION__, sysconf(_SC_NPROCESSORS_ONLN));
    write_member(header, "os", text_of(host.sysname));
    write_member(header, "arch", text_of(host.machine));
}

static bool server_metadata(struct buffer *header)
{
    write_member(header, "name", text_of(worker_name));
    append_format(header, ",\"extensions\":[\"binary_tensor_data\"]");
    worker_metadata(header);
    return true;
}

static bool load(const struct frame *request, struct buffer *header, struct refusal *refusal)
{
    struct text name = model_name(request);
    unload(find(name)); /* the old one's memory is freed before the new one needs it */
    void *model = worker_load(json_member(request->header, "parameters"), refusal);
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
    if (!worker_run(loaded->model, request, answer, refusal))
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
        return worker_operators(request, answer, refusal);
    return refuse(refusal, "UNIMPLEMENTED", "%s does not answer '%.*s'", worker_name, (int)rpc.size,
                  rpc.data ? rpc.data : "");
}

static void respond(struct frame *request)
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

void own_streams(void)
{
    source = fdopen(dup(STDIN_FILENO), "rb");
    target = fdopen(dup(STDOUT_FILENO), "wb");
    int nothing = open("/dev/null", O_RDONLY);
    if (source == NULL || target == NULL || nothing < 0 || dup2(nothing, STDIN_FILENO) < 0 ||
        dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
        fprintf(stderr, "%s worker: standard input or output cannot be used\n", worker_name);
        exit(1);
    }
    close(nothing);
    signal(SIGPIPE, SIG_IGN); /* writing fails instead, and says so */
}

void serve(void)
{
    for (struct frame request; read_frame(source, &request);) {
        respond(&request);
        release_frame(&request);
    }
    while (models != NULL)
        unload(&models);
    fclose(source);
    fclose(target);
}

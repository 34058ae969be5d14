/* A worker's side of the protocol (bindings/contract/README.md): frames in, frames out. What runs the models is behind
 * the functions named worker_..., of which each worker has its own. */
#ifndef CROSSLOAD_SERVING_H
#define CROSSLOAD_SERVING_H

#include "frames.h"

/* Why a request is not answered: the name of a google.rpc.Code, and the sentence. */
struct refusal {
    const char *code;
    char sentence[1024];
};

/* Fill in the refusal; returns false. */
bool refuse(struct refusal *refusal, const char *code, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The outputs of a request, and how long the runtime's own call took. Their memory is the request's, or `held`. */
struct answer {
    struct tensor *outputs;
    size_t count;
    int64_t nanoseconds;
};

/* Append members to a header that has some already. */
void append_format(struct buffer *header, const char *format, ...) __attribute__((format(printf, 2, 3)));
void write_member(struct buffer *header, const char *name, struct text value);

/* Append language, threads, system and architecture, the first members of `parameters`. */
void write_host(struct buffer *header);

/* Version, formats and parameters of ServerMetadata. */
void worker_metadata(struct buffer *header);

/* What the parameters of RepositoryModelLoad name; NULL, with the refusal, if it is not loaded. */
void *worker_load(const struct json *parameters, struct refusal *refusal);
bool worker_run(void *model, struct frame *request, struct answer *answer, struct refusal *refusal);
void worker_unload(void *model);

/* RegisteredOps; a refusal where the runtime cannot list them. */
bool worker_operators(struct frame *request, struct answer *answer, struct refusal *refusal);

/* Standard output belongs to the protocol: whatever a library prints goes to standard error. Before any is opened. */
void own_streams(void);

/* Answer requests until the stream ends. */
void serve(void);

#endif

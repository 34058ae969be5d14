/* The few fields that a worker needs of TensorFlow's protobuf messages, by their wire format. */
#ifndef CROSSLOAD_MESSAGES_H
#define CROSSLOAD_MESSAGES_H

#include "memory.h"

enum side { INPUTS = 1, OUTPUTS = 2 }; /* the fields of SignatureDef (tensorflow/core/protobuf/meta_graph.proto) */

/* The SignatureDef of a key in a serialised MetaGraphDef; false if it has none. `keys` gets those it has, separated by
 * commas. */
bool find_signature_def(struct text meta_graph_def, struct text key, struct text *signature_def, struct buffer *keys);

/* The tensor of a signature's input or output; empty if it is a sparse or composite one. False if the signature has
 * none. */
bool find_tensor(struct text signature_def, enum side side, struct text name, struct text *tensor);

/* A copy of a serialised GraphDef without its nodes' devices; false if the bytes are none. `kind` gets an op that no
 * session runs. */
bool free_from_devices(struct text graph_def, struct buffer *copy, struct text *kind);

#endif

/* Protobuf's wire format: fields of a number, a type and a value. */
#include "messages.h"

#include <stdint.h>
#include <string.h>

enum { VARINT = 0, BYTES_8 = 1, LENGTH = 2, BYTES_4 = 5 };

struct field {
    uint64_t number; /* 0 where it is no string, bytes or message: such a field is unknown here, whatever its number */
    struct text whole, value; /* the field with its tag, and its value */
};

static bool varint(struct text *rest, uint64_t *value)
{
    *value = 0;
    for (unsigned shift = 0; shift < 64 && rest->size > 0; shift += 7) {
        unsigned char byte = (unsigned char)*rest->data;
        rest->data++;
        rest->size--;
        *value |= (uint64_t)(byte & 0x7F) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* Take the next field off a message; false at its end, and where it is malformed: then bytes are left. */
static bool next(struct text *message, struct field *field)
{
    struct text rest = *message;
    uint64_t tag, size;
    if (!varint(&rest, &tag) || tag >> 3 == 0)
        return false;
    if ((tag & 7) == VARINT && !varint(&rest, &size))
        return false;
    if ((tag & 7) == VARINT)
        size = 0;
    else if ((tag & 7) == BYTES_8 || (tag & 7) == BYTES_4)
        size = (tag & 7) == BYTES_8 ? 8 : 4;
    else if ((tag & 7) != LENGTH || !varint(&rest, &size))
        return false;
    if (size > rest.size)
        return false;
    field->number = (tag & 7) == LENGTH ? tag >> 3 : 0;
    field->value = (struct text){rest.data, size};
    field->whole = (struct text){message->data, (size_t)(rest.data - message->data) + size};
    *message = (struct text){rest.data + size, rest.size - size};
    return true;
}

/* The last field of this number; empty if there is none. */
static struct text value_of(struct text message, uint64_t number)
{
    struct text found = {0};
    for (struct field field; next(&message, &field);)
        if (field.number == number)
            found = field.value;
    return found;
}

bool find_signature_def(struct text meta_graph_def, struct text key, struct text *signature_def, struct buffer *keys)
{
    bool found = false;
    for (struct field field; next(&meta_graph_def, &field);) {
        if (field.number != 5) /* MetaGraphDef.signature_def, a map: key 1, value 2 */
            continue;
        struct text there = value_of(field.value, 1);
        if (same(there, key)) {
            *signature_def = value_of(field.value, 2);
            found = true;
        }
        append(keys, ", ", keys->size ? 2 : 0);
        append(keys, there.data, there.size);
    }
    return found;
}

bool find_tensor(struct text signature_def, enum side side, struct text name, struct text *tensor)
{
    for (struct field field; next(&signature_def, &field);) {
        if (field.number == (uint64_t)side && same(value_of(field.value, 1), name)) {
            *tensor = value_of(value_of(field.value, 2), 1); /* TensorInfo.name; coo_sparse is 4, composite_tensor 5 */
            return true;
        }
    }
    return false;
}

static void append_length(struct buffer *copy, uint64_t length)
{
    do {
        char byte = (char)((length & 0x7F) | (length > 0x7F ? 0x80 : 0));
        append(copy, &byte, 1);
        length >>= 7;
    } while (length > 0);
}

/* A node without its device; false if it is malformed. */
static bool append_node(struct buffer *copy, struct text node)
{
    const uint64_t device = 4; /* NodeDef.device */
    size_t kept = 0;
    struct text rest = node;
    struct field part;
    while (next(&rest, &part))
        kept += part.number == device ? 0 : part.whole.size;
    if (rest.size > 0)
        return false;
    append(copy, "\x0A", 1); /* GraphDef.node (1), of a length */
    append_length(copy, kept);
    while (next(&node, &part))
        if (part.number != device)
            append(copy, part.whole.data, part.whole.size);
    return true;
}

bool free_from_devices(struct text graph_def, struct buffer *copy, struct text *kind)
{
    bool has_nodes = false;
    for (struct field field; next(&graph_def, &field);) {
        if (field.number != 1) {
            append(copy, field.whole.data, field.whole.size);
            continue;
        }
        struct text op = value_of(field.value, 2); /* NodeDef.op */
        if (same(op, text_of("_Arg")) || same(op, text_of("_Retval")))
            *kind = op;
        if (!append_node(copy, field.value))
            return false;
        has_nodes = true;
    }
    return graph_def.size == 0 && has_nodes;
}

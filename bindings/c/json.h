/* JSON (RFC 8259): a strict reader of whole texts into a tree, and the writing of strings. */
#ifndef CROSSLOAD_JSON_H
#define CROSSLOAD_JSON_H

#include "memory.h"

#include <stdint.h>

enum json_kind { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_INTEGER, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

/* A value. An INTEGER has neither fraction nor exponent and fits into 64 bits; any other number is a NUMBER, without
 * its value.
 *
 * Strings are UTF-8; the surrogates that JSON can escape but UTF-8 cannot hold are three bytes like any character of
 * their size.
 */
struct json {
    enum json_kind kind;
    int64_t integer;
    struct text string;
    struct text name;                /* of an object's member */
    const struct json *first, *next; /* an array's or object's first child; the next child of the same parent */
    size_t count;
};

/* The value of a text, which is changed on the way; NULL for a text that is not JSON, with the reason in `why`.
 *
 * Values may be nested 64 deep. The tree's memory is the arena's, that of its strings is the text's.
 */
const struct json *json_read(char *text, size_t size, struct arena *arena, const char **why);

/* An object's member; NULL if `object` is NULL, no object, or has none of this name. The last of several counts. */
const struct json *json_member(const struct json *object, const char *name);

/* The value's string; empty, with NULL as data, if it is none. */
struct text json_string(const struct json *value);

/* Append a string with its quotes, as ASCII. Bytes that are not UTF-8 become U+FFFD. */
void json_write(struct buffer *buffer, struct text string);

#endif

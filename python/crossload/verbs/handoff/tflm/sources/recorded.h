/* The bytes of the recorded requests and answers, at the places that vectors.c names. */
#ifndef CROSSLOAD_RECORDED_H
#define CROSSLOAD_RECORDED_H

extern const unsigned char crossload_recorded[];

#endif

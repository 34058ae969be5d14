#ifndef DECLARED_MICRO_LOG_H
#define DECLARED_MICRO_LOG_H

void MicroPrintf(const char *format, ...);

#endif

package io.crossload.worker;

/** The code of an error response: a name of google.rpc.Code (google/rpc/code.proto). */
public enum Code {
    /** The caller gave up. */
    CANCELLED,
    /** An error without a better code. */
    UNKNOWN,
    /** The request is wrong, whatever the state. */
    INVALID_ARGUMENT,
    /** The time ran out. */
    DEADLINE_EXCEEDED,
    /** A name or a file does not exist. */
    NOT_FOUND,
    /** What should be made exists. */
    ALREADY_EXISTS,
    /** The caller may not do this. */
    PERMISSION_DENIED,
    /** Memory or another resource is used up. */
    RESOURCE_EXHAUSTED,
    /** The state does not allow the request: a class path, a bundle, something that is closed. */
    FAILED_PRECONDITION,
    /** The operation was stopped, and may succeed when it is tried again. */
    ABORTED,
    /** A value lies outside the valid range. */
    OUT_OF_RANGE,
    /** The runtime does not support this. */
    UNIMPLEMENTED,
    /** A fault of the worker or of the runtime. */
    INTERNAL,
    /** The runtime cannot be reached now. */
    UNAVAILABLE,
    /** A file is damaged. */
    DATA_LOSS,
    /** The caller did not say who it is. */
    UNAUTHENTICATED
}

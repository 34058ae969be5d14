/**
 * The server side of the worker protocol (bindings/contract/README.md): one runtime behind {@link io.crossload.worker.Worker}, and the
 * loop that answers its requests.
 *
 * <p>Depends on {@code io.crossload.contract} only: a worker does not compare.
 */
package io.crossload.worker;

/** The contract between languages in Java: frames, datatypes and the worker protocol (bindings/contract/README.md). */
package io.crossload.contract;

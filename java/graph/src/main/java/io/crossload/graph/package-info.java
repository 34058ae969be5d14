/** The common part of the workers of all TensorFlow Java releases. Of their API it uses only the protobuf messages. */
package io.crossload.graph;

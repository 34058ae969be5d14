/** The worker of the runtime tensorflow-java: SavedModelBundle and Graph.importGraphDef behind the worker protocol. */
package io.crossload.tensorflow;

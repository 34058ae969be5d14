// swift-tools-version: 5.9
// Stands in for TensorFlow Lite's Swift API where there is no iOS: the same declarations over the same C functions, as far as a handoff calls
// them, in the library whose folder TENSORFLOWLITE_LIBRARY names.

import PackageDescription

let folder = Context.environment["TENSORFLOWLITE_LIBRARY"] ?? "."

let package = Package(
    name: "TensorFlowLite",
    products: [.library(name: "TensorFlowLite", targets: ["TensorFlowLite"])],
    targets: [
        .target(name: "CTensorFlowLite"),
        .target(
            name: "TensorFlowLite",
            dependencies: ["CTensorFlowLite"],
            linkerSettings: [.unsafeFlags(["-L\(folder)", "-ljnitensorflowlite", "-Xlinker", "-rpath", "-Xlinker", folder])]
        ),
    ]
)

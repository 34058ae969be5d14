import Foundation
import TensorFlowLite

/// A .tflite file in TensorFlow Lite, called by its signatures. Several threads may call it; one call runs at a time.
public final class HandedModel {
    /// A tensor with the file's name for it.
    public typealias Named = (name: String, tensor: RawTensor)

    private let path: String
    private let options: ModelOptions
    private let lock = NSLock()
    private var interpreter: Interpreter
    private var runners: [String: Runner] = [:]

    private struct Runner {
        let runner: SignatureRunner
        var shapes: [String: [Int]] = [:]
    }

    /// Opens the file; throws if TensorFlow Lite does not load it, or has no such delegate.
    public init(path: String, options: ModelOptions = ModelOptions()) throws {
        self.path = path
        self.options = options
        interpreter = try options.interpreter(of: path)
    }

    /// Forgets what a model with variables keeps from call to call.
    public func reset() throws {
        lock.lock()
        defer { lock.unlock() }
        // The Swift API has no call that resets variables.
        runners = [:]
        interpreter = try options.interpreter(of: path)
    }

    /// Calls the signature `key` with all of its inputs; returns the outputs of these names, in this order.
    public func run(_ key: String, inputs: [Named], outputs: [String]) throws -> [RawTensor] {
        lock.lock()
        defer { lock.unlock() }
        var called = try runners[key] ?? Runner(runner: interpreter.signatureRunner(with: key))
        runners[key] = nil  // what is half resized is not used again
        for input in inputs where called.shapes[input.name] != input.tensor.shape {
            try called.runner.resizeInput(named: input.name, toShape: Tensor.Shape(input.tensor.shape))
            called.shapes[input.name] = input.tensor.shape
        }
        runners[key] = called
        try called.runner.allocateTensors()
        let data = inputs.map { ($0.name, $0.tensor.data) }
        try called.runner.invoke(with: Dictionary(data) { first, _ in first })
        return try outputs.map { try raw(called.runner.output(named: $0), named: $0) }
    }

    private func raw(_ tensor: Tensor, named name: String) throws -> RawTensor {
        guard let datatype = HandedModel.datatypes[tensor.dataType] else {
            throw ModelError("'\(name)' is \(tensor.dataType), which this client does not carry")
        }
        return RawTensor(datatype: datatype, shape: tensor.shape.dimensions, data: tensor.data)
    }

    private static let datatypes: [Tensor.DataType: Datatype] = [
        .bool: .bool,
        .uInt8: .uint8,
        .int16: .int16,
        .int32: .int32,
        .int64: .int64,
        .float32: .float32,
        .float64: .float64,
    ]
}

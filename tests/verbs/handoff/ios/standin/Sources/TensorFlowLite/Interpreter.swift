import CTensorFlowLite
import Foundation

public protocol Delegate: AnyObject {
    typealias CDelegate = OpaquePointer
    var cDelegate: CDelegate { get }
}

public enum InterpreterError: Error {
    case failedToLoadModel
    case failedToCreateInterpreter
}

public enum SignatureRunnerError: Error {
    case invalidTensorDataCount(provided: Int, required: Int)
    case invalidTensorDataType
    case failedToCreateSignatureRunner(signatureKey: String)
    case failedToGetTensor(tensorType: String, nameInSignature: String)
    case failedToResizeInputTensor(inputName: String)
    case failedToCopyDataToInputTensor
    case failedToAllocateTensors
    case failedToInvokeSignature(signatureKey: String)
    case allocateTensorsRequired
}

public final class Interpreter {
    public struct Options: Equatable, Hashable {
        public var threadCount: Int?
        public var isXNNPackEnabled = false
        public init() {}
    }

    let handle: OpaquePointer
    private let model: OpaquePointer
    private let delegates: [Delegate]
    private let xnnpack: OpaquePointer?

    public init(modelPath: String, options: Options? = nil, delegates: [Delegate]? = nil) throws {
        guard let model = TfLiteModelCreateFromFile(modelPath) else { throw InterpreterError.failedToLoadModel }
        let settings = TfLiteInterpreterOptionsCreate()
        defer { TfLiteInterpreterOptionsDelete(settings) }
        if let threads = options?.threadCount { TfLiteInterpreterOptionsSetNumThreads(settings, Int32(threads)) }
        for delegate in delegates ?? [] { TfLiteInterpreterOptionsAddDelegate(settings, delegate.cDelegate) }
        xnnpack = options?.isXNNPackEnabled == true ? TfLiteXNNPackDelegateCreate(nil) : nil
        if let xnnpack { TfLiteInterpreterOptionsAddDelegate(settings, xnnpack) }
        guard let handle = TfLiteInterpreterCreate(model, settings) else {
            TfLiteModelDelete(model)
            throw InterpreterError.failedToCreateInterpreter
        }
        (self.model, self.handle, self.delegates) = (model, handle, delegates ?? [])
    }

    deinit {
        TfLiteInterpreterDelete(handle)
        if let xnnpack { TfLiteXNNPackDelegateDelete(xnnpack) }
        TfLiteModelDelete(model)
    }

    public var signatureKeys: [String] {
        (0..<TfLiteInterpreterGetSignatureCount(handle)).map { String(cString: TfLiteInterpreterGetSignatureKey(handle, $0)) }
    }

    public func signatureRunner(with key: String) throws -> SignatureRunner {
        guard signatureKeys.contains(key), let runner = TfLiteInterpreterGetSignatureRunner(handle, key) else {
            throw SignatureRunnerError.failedToCreateSignatureRunner(signatureKey: key)
        }
        return try SignatureRunner(runner, key: key, interpreter: self)
    }
}

public final class SignatureRunner {
    public let signatureKey: String
    private let handle: OpaquePointer
    private let interpreter: Interpreter
    private var isAllocated = false

    init(_ handle: OpaquePointer, key: String, interpreter: Interpreter) throws {
        (self.handle, self.signatureKey, self.interpreter) = (handle, key, interpreter)
        try allocateTensors()
    }

    deinit {
        TfLiteSignatureRunnerDelete(handle)
    }

    public func resizeInput(named name: String, toShape shape: Tensor.Shape) throws {
        let dimensions = shape.dimensions.map(Int32.init)
        guard TfLiteSignatureRunnerResizeInputTensor(handle, name, dimensions, Int32(shape.rank)) == 0 else {
            throw SignatureRunnerError.failedToResizeInputTensor(inputName: name)
        }
        isAllocated = false
    }

    public func allocateTensors() throws {
        guard !isAllocated else { return }
        guard TfLiteSignatureRunnerAllocateTensors(handle) == 0 else { throw SignatureRunnerError.failedToAllocateTensors }
        isAllocated = true
    }

    public func invoke(with inputs: [String: Data]) throws {
        try allocateTensors()
        for (name, data) in inputs {
            guard let tensor = TfLiteSignatureRunnerGetInputTensor(handle, name) else {
                throw SignatureRunnerError.failedToGetTensor(tensorType: "input", nameInSignature: name)
            }
            let required = TfLiteTensorByteSize(tensor)
            guard data.count == required else {
                throw SignatureRunnerError.invalidTensorDataCount(provided: data.count, required: required)
            }
            let status = data.withUnsafeBytes { TfLiteTensorCopyFromBuffer(tensor, $0.baseAddress, data.count) }
            guard status == 0 else { throw SignatureRunnerError.failedToCopyDataToInputTensor }
        }
        guard TfLiteSignatureRunnerInvoke(handle) == 0 else {
            throw SignatureRunnerError.failedToInvokeSignature(signatureKey: signatureKey)
        }
    }

    public func output(named name: String) throws -> Tensor {
        guard let tensor = TfLiteSignatureRunnerGetOutputTensor(handle, name) else {
            throw SignatureRunnerError.failedToGetTensor(tensorType: "output", nameInSignature: name)
        }
        guard let bytes = TfLiteTensorData(tensor) else { throw SignatureRunnerError.allocateTensorsRequired }
        guard let dataType = Tensor.DataType(TfLiteTensorType(tensor)) else { throw SignatureRunnerError.invalidTensorDataType }
        let dimensions = (0..<TfLiteTensorNumDims(tensor)).map { Int(TfLiteTensorDim(tensor, $0)) }
        let data = Data(bytes: bytes, count: TfLiteTensorByteSize(tensor))
        return Tensor(name: name, dataType: dataType, shape: Tensor.Shape(dimensions), data: data)
    }
}

public struct Tensor: Equatable, Hashable {
    public let name: String
    public let dataType: DataType
    public let shape: Shape
    public let data: Data

    public enum DataType: Equatable, Hashable {
        case bool, uInt8, int16, int32, int64, float16, float32, float64

        /// Of a TfLiteType (tensorflow/lite/core/c/c_api_types.h); nil for those that Swift's API does not know, such as int8.
        init?(_ type: Int32) {
            let known: [Int32: DataType] = [
                1: .float32, 2: .int32, 3: .uInt8, 4: .int64, 6: .bool, 7: .int16, 10: .float16, 11: .float64,
            ]
            guard let found = known[type] else { return nil }
            self = found
        }
    }

    public struct Shape: Equatable, Hashable {
        public let rank: Int
        public let dimensions: [Int]

        public init(_ dimensions: [Int]) {
            (rank, self.dimensions) = (dimensions.count, dimensions)
        }
    }
}
